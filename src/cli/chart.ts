const blocks = ['', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const eighths = blocks.length - 1;

/** A chart of columns, `height` lines high, the highest value written beside it. */
export function chart(values: readonly number[], height: number): string[] {
  const most = Math.max(1, ...values);
  const label = Math.round(most).toLocaleString('en');
  const filled = values.map((value) => Math.round((value / most) * height * eighths));
  return Array.from({ length: height }, (_, line) => {
    const below = (height - 1 - line) * eighths;
    const cells = filled.map((eighth, at) => {
      const here = Math.min(Math.max(eighth - below, 0), eighths);
      // What is there at all is seen.
      const least = line === height - 1 && (values[at] ?? 0) > 0 ? 1 : 0;
      return blocks[Math.max(here, least)] || ' ';
    });
    const side = line === 0 ? label : line === height - 1 ? '0' : '';
    return `${side.padStart(label.length)} ┤${cells.join('')}`.trimEnd();
  });
}

/** A bar of at most `width` characters. */
export function bar(part: number, whole: number, width: number): string {
  return '█'.repeat(Math.round((width * part) / Math.max(whole, 1)));
}
