import { isSound } from './judgement.js';
import type { Verification } from './verify.js';

/** How many findings of each sort are shown. */
const most = 10;

/** A verification in lines for people: a table of what clients saw, then what is wrong. */
export function inWords({
  clients,
  judgement,
  witnessed,
  entries,
  ...rest
}: Verification): string[] {
  const { lost, doubled, disordered, strange, parted, unknown, timelines } = judgement;
  const rows = [
    ['clients', 'sent', 'acknowledged', 'unknown', 'failed', 'longest wait'],
    ...clients.kinds.map((one) => [
      one.kind,
      ...[one.sent, one.acknowledged, one.unknown, one.failed].map(String),
      `${one.longestWait} ms`,
    ]),
    ['worker', '', String(witnessed), '', '', ''],
  ];
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => row[at]?.length ?? 0)),
  );
  const counts: [string, number][] = [
    ['entries in the database', entries],
    ['lost', lost.length],
    ['doubled', doubled.length],
    ['out of order', disordered.length],
    ['written by nobody', strange.length],
    ['out of the one history', parted.length],
    ['may be there or not', unknown],
    ['requests failed', clients.failures.length],
  ];
  const width = Math.max(...counts.map(([name]) => name.length));
  const findings = [
    ...lost.map((one) => `lost: ${one}`),
    ...doubled,
    ...disordered,
    ...strange,
    ...parted,
  ];
  return [
    ...rows.map((row) =>
      `  ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`.trimEnd(),
    ),
    '',
    ...counts.map(([name, count]) => `  ${name.padEnd(width)}  ${count}`),
    `  ${'histories of the database'.padEnd(width)}  ${timelines.join(', ')}`,
    ...findings.slice(0, most).map((line) => `  ${line}`),
    ...clients.failures.slice(0, most).map(({ client, what }) => `  failed: ${client}: ${what}`),
    '',
    rest.isSound
      ? 'Every acknowledged entry is there exactly once, in order, and no request failed.'
      : isSound(judgement)
        ? 'Every acknowledged entry is there exactly once, in order; but requests failed.'
        : 'That is not as it should be.',
  ];
}
