import type { ReportJson } from '../api/region-migrations/switch-shape.js';
import { bar, chart } from './chart.js';
import { table } from './table.js';

type Switch = ReportJson['switches'][number];

const second = 1_000;
const height = 4;

/** How a switch went, in lines for people. */
export function switchLines(one: Switch): string[] {
  const { phase, began_at, hold, parts } = one;
  return [
    `${phase}: requests were held for ${ms(hold ?? 0)}${began_at === null ? '' : `, from ${began_at}`}`,
    ...table(
      parts.map(({ part, took }) => [`  ${part}`, ms(took).padStart(9), bar(took, hold ?? 0, 40)]),
    ),
    '',
    `  ${one.held} waited: half of them for at most ${ms(one.p50)}, 99 % for at most ${ms(one.p99)}, the longest for ${ms(one.longest_wait)}`,
    `  ${one.refused} found no room to wait; ${one.closed} WebSockets and event streams were closed, to be opened again`,
    ...picture(one),
  ];
}

/** Requests and their longest wait, a column a second. */
function picture({ traffic, began_at }: Switch): string[] {
  const seconds = withoutGaps(traffic);
  if (seconds.length === 0) return [];
  const begin = Math.floor(Date.parse(began_at ?? '') / second) * second;
  const marks = seconds.map(({ at }) => (at === begin ? '↑' : ' ')).join('');
  const failures = seconds.reduce((sum, { failed }) => sum + failed, 0);
  const indented = (values: number[]) => chart(values, height).map((line) => `  ${line}`);
  const requests = indented(seconds.map(({ requests }) => requests));
  const longest = indented(seconds.map(({ longest }) => longest));
  const below = (chartLines: string[]) => {
    const margin = (chartLines[0] ?? '').indexOf('┤') + 1;
    return `${' '.repeat(margin)}${marks.trimEnd()} requests are held from here on`;
  };
  return [
    '',
    `  requests answered a second; ${failures} failed`,
    ...requests,
    begin >= 0 ? below(requests) : '',
    '  the longest that one took, in milliseconds',
    ...longest,
    begin >= 0 ? below(longest) : '',
  ];
}

function withoutGaps(traffic: Switch['traffic']) {
  const found = new Map(traffic.map((one) => [Date.parse(one.at), one]));
  const times = [...found.keys()];
  const first = Math.min(...times);
  const count = times.length === 0 ? 0 : (Math.max(...times) - first) / second + 1;
  return Array.from({ length: count }, (_, index) => {
    const at = first + index * second;
    const { requests = 0, failed = 0, longest = 0 } = found.get(at) ?? {};
    return { at, requests, failed, longest };
  });
}

const ms = (time: number) => `${Math.round(time).toLocaleString('en')} ms`;
