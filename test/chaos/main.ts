import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgresql } from '../../src/server/embedded-postgresql.js';
import { installExample } from '../examples.js';
import { interrupted } from '../interrupted.js';
import { lineOf } from './in-words.js';
import { judgeDatabases } from './judge.js';
import { products } from './plan.js';
import { ChaosRun, type RunReport } from './run.js';
import { World } from './world.js';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
    databases: { type: 'string', default: products.join(',') },
    json: { type: 'string' },
  },
});
const [runs, first] = [Number(values.runs), Number(values.seed)];
const [primary, ...copies] = products.filter((one) => values.databases.split(',').includes(one));
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(first) || primary !== 'postgresql') {
  process.stderr.write(
    'npm run chaos -- [--runs N] [--seed S] [--databases postgresql,mariadb,redis] [--json FILE]\n',
  );
  process.exit(2);
}
const say = (text: string) => process.stdout.write(`${text}\n`);

const dir = await mkdtemp(join(tmpdir(), 'godwit-chaos-'));
const postgresql = await startEmbeddedPostgresql(dir);
const reports: RunReport[] = [];
let world: World | null = null;
try {
  say(`${runs} runs, from seed ${first} on`);
  const ledger = await installExample('ledger', dir);
  const database = { url: postgresql.url, drop: async () => undefined };
  world = await World.make(database, ledger, [primary, ...copies]);
  for (let seed = first; seed < first + runs; seed += 1) {
    const report = await Promise.race([new ChaosRun(world, seed).perform(), interrupted]);
    reports.push(report);
    for (const line of lineOf(report)) say(line);
    if (report.findings.length === 0) continue;
    say('  what was seen of it may disturb those that follow: ended here');
    break;
  }
  const attempted = reports.flatMap((one) => one.attempted);
  const all = await judgeDatabases(world, { attempted, witnessed: world.witness.heard });
  const bad = [...all.lost, ...all.doubled, ...all.others];
  const sum = (of: (report: RunReport) => number) =>
    reports.reduce((total, one) => total + of(one), 0);
  const failed = reports.filter(({ findings }) => findings.length > 0).length;
  say(
    `${reports.length} runs: ${failed} not as they should be; ${sum(({ sent }) => sent)} entries, ${all.lost.length} lost, ${all.doubled.length} doubled, ${sum(({ unknown }) => unknown)} unknown, ${sum(({ excused }) => excused)} failures of killed connections`,
  );
  for (const line of bad.slice(0, 10)) say(`  ${line}`);
  if (values.json) {
    const figures = reports.map(({ attempted: _, evidence: __, ...figures }) => figures);
    await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
  }
  if (failed > 0 || bad.length > 0) process.exitCode = 1;
} finally {
  await world?.close();
  await postgresql.stop();
  await rm(dir, { recursive: true, force: true });
}
