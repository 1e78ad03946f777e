/**
 * What clients notice of the switch: the longest wait for an answer during a whole migration, with
 * the database at 1, 2 and 4 times a size. The application stays up while data is copied, so the
 * wait should not grow with it. The peer is the smallest size.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { runDemo } from '../src/dev/demo/demo.js';
import { median, say } from './figures.js';

const base = Number(process.argv[2] ?? 200_000);
const rounds = 3;
const figures = z.object({ downtime_ms: z.number(), requests: z.object({ failed: z.number() }) });

const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
const waits = new Map<number, number[]>([1, 2, 4].map((factor) => [factor, []]));
try {
  for (let round = 0; round < rounds; round += 1) {
    for (const [factor, found] of waits) {
      const jsonFile = join(dir, 'figures.json');
      const good = await runDemo({ rows: base * factor, jsonFile });
      if (!good) throw new Error('The migration did not go as it should.');
      found.push(figures.parse(JSON.parse(await readFile(jsonFile, 'utf8'))).downtime_ms);
    }
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
say(`longest wait of a client through a migration, median of ${rounds}`);
const smallest = median(waits.get(1) ?? []);
for (const [factor, found] of waits) {
  const wait = median(found);
  const rows = (base * factor).toLocaleString('en').padStart(12);
  say(`  ${rows} rows  ${Math.round(wait)} ms  ${(wait / smallest).toFixed(2)} × the smallest`);
}
