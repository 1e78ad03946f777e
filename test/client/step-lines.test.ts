import { expect, it } from 'vitest';
import { databaseLines, stepLine } from '../../src/client/step-lines.js';

const name = 'Copy the databases and keep them following';
const one = { name: 'postgresql', done: 50_000_000, total: 100_000_000, rate: 10_000_000 };
const other = { name: 'influxdb', done: 0, total: 0, rate: 0 };

it('shows a bar of a step that copies, and one of each database when there are several', () => {
  const progress = { done: 50_000_000, total: 100_000_000, rate: 10_000_000, databases: [one] };
  const running = { name, logs: null, status: 'running', progress } as const;
  const bar = `${'█'.repeat(12)}${'░'.repeat(12)} 50.0 MB of 100.0 MB, 10.0 MB/s`;
  expect(stepLine(running)).toBe(`… ${name}  ${bar}`);
  expect(databaseLines(running)).toEqual([]);
  expect(databaseLines({ progress: { ...progress, databases: [one, other] } })).toEqual([
    `    postgresql  ${bar}`,
    `    influxdb    ${'░'.repeat(24)} 0 B of 0 B, 0 B/s`,
  ]);
  expect(databaseLines({ progress: null })).toEqual([]);
});
