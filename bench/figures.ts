/** The middle one; of an even number, the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const around = [sorted[Math.ceil(middle) - 1], sorted[Math.floor(middle)]];
  return around.reduce<number>((sum, figure) => sum + (figure ?? 0), 0) / 2;
}

/** How long something takes, in milliseconds. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Prints one line of figures for people. */
export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
