import type { RunReport } from './run.js';

/** A run as a line for people; what is wrong, and how to see it again, in more. */
export function lineOf(report: RunReport): string[] {
  const { seed, story, findings, sent, unknown, excused, again, longestWait, seconds } = report;
  const outcome = findings.length === 0 ? 'ok ' : 'BAD';
  return [
    `${outcome} seed ${seed}  ${seconds.toFixed(1)} s  ${sent} entries, ${unknown} unknown, ${excused} broken by kills, ${again} again, longest wait ${longestWait} ms  ${story}`,
    ...findings.slice(0, 20).map((line) => `    ${line}`),
    ...report.evidence.map((line) => `    ${line}`),
    ...(findings.length > 0 ? [`    again: npm run chaos -- --runs 1 --seed ${seed}`] : []),
  ];
}
