/**
 * Migrations between two regions far apart, over a line that is slow, loses packets, and is cut at the worst
 * moments, while every write of the app's clients is checked. Takes root.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgresql } from '../../src/server/embedded-postgresql.js';
import { bytes } from '../../src/shared/bytes.js';
import { products } from '../chaos/plan.js';
import { World } from '../chaos/world.js';
import { installExample } from '../examples.js';
import { interrupted } from '../interrupted.js';
import { Network } from './network.js';
import { plainStream } from './plain-stream.js';
import { trials } from './plan.js';
import { TrialRun } from './trial.js';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: Object.keys(trials).join(',') },
    databases: { type: 'string', default: products.join(',') },
    megabytes: { type: 'string', default: '250' },
    cut: { type: 'string', default: '60' },
    delay: { type: 'string', default: '20' },
    loss: { type: 'string', default: '0.01' },
    mbits: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
  },
});
const named = values.trials.split(',').map((name) => ({ name, trial: trials[name] }));
const [primary, ...copies] = products.filter((one) => values.databases.split(',').includes(one));
if (named.some(({ trial }) => !trial) || primary !== 'postgresql') {
  process.stderr.write(
    `npm run network -- [--trials ${Object.keys(trials).join(',')}] [--databases ${products.join(',')}] [--megabytes 250] [--cut SECONDS] [--delay MILLISECONDS-EACH-WAY] [--loss 0.01] [--mbits 200] [--seed S]\n`,
  );
  process.exit(2);
}
if (process.getuid?.() !== 0) {
  process.stderr.write(
    'Making networks takes root: run it as root, on a host for trying things.\n',
  );
  process.exit(2);
}
const say = (text: string) => process.stdout.write(`${text}\n`);

const rate = Number(values.mbits) * 1e6;
const delay = Number(values.delay);
const quality = {
  delay,
  loss: Number(values.loss),
  rate,
  queue: (rate / 8) * ((2 * delay) / 1000),
};
const dir = await mkdtemp(join(tmpdir(), 'godwit-network-'));
const network = await Network.make(quality, Number(values.seed));
const postgresql = await startEmbeddedPostgresql(dir);
let world: World | null = null;
try {
  const ledger = await installExample('ledger', dir);
  const database = { url: postgresql.url, drop: async () => undefined };
  world = await World.make(database, ledger, [primary, ...copies], network);
  await fill(world, Number(values.megabytes));
  for (const { name, trial } of named) {
    if (!trial) continue;
    say(`${name}, ${trial.standing}`);
    const cutTime = Number(values.cut) * 1_000;
    const indent = (line: string) => say(`    ${line}`);
    const run = new TrialRun(world, network, trial, { cutTime, say: indent });
    const { findings, copy } = await Promise.race([run.perform(name), interrupted]);
    for (const line of findings) say(`BAD ${line}`);
    if (!trial.cut) {
      const plain = await plainStream(network, copy.bytes);
      const speed = (took: number) => `${((copy.bytes * 8) / took / 1_000).toFixed(1)} Mbit/s`;
      say(
        `    copied ${bytes(copy.bytes)} at ${speed(copy.took)}; a plain stream: ${speed(plain)}; ${(plain / copy.took).toFixed(2)} of it`,
      );
    }
    if (findings.length === 0) continue;
    process.exitCode = 1;
    for (const piece of ['server', 'here', 'there'] as const) {
      const lines = (await readFile(world.pieces.logOf(piece), 'utf8')).trimEnd().split('\n');
      say(`  the last of ${piece}:`);
      for (const line of lines.slice(-8)) say(`    ${line.slice(0, 600)}`);
    }
    say('  what was seen of it may disturb those that follow: ended here');
    break;
  }
} finally {
  await network.mend(); // what ends over a line that is cut waits for it
  await world?.close();
  await postgresql.stop();
  await network.close();
  await rm(dir, { recursive: true, force: true });
}

/** Gives the app's PostgreSQL so much that nothing can be made smaller of. */
async function fill(world: World, megabytes: number): Promise<void> {
  await world.query(
    `CREATE TABLE filling AS
       SELECT n, (SELECT string_agg(md5(random()::text || n || m), '') FROM generate_series(1, 32) AS m)
         FROM generate_series(1, ${megabytes * 900}) AS n`,
  );
  await world.query('ALTER TABLE filling ADD PRIMARY KEY (n)');
  await world.query('VACUUM (FREEZE, ANALYZE) filling'); // or the server would, while it is copied
}
