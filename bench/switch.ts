/**
 * How long clients wait for an answer when an application moves with its database of 1, 2 and 4
 * times a size: with Godwit, the longest wait of a client during the whole migration; and the way
 * of the hosted original on the same application, which is stopped while `pg_dump | pg_restore`
 * carries its data over, and started there.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { z } from 'zod';
import { ApiClient } from '../src/client/api-client.js';
import { databaseUrl, deployBirdLog } from '../src/dev/demo/bird-log.js';
import { migrate } from '../src/dev/demo/journey.js';
import { Traffic } from '../src/dev/demo/traffic.js';
import { startDevProcess } from '../src/dev/dev-process.js';
import { findBinaries } from '../src/postgresql/binaries.js';
import { until } from '../src/shared/until.js';
import { median, say, timed } from './figures.js';

const base = Number(process.argv[2] ?? 200_000);
const rounds = 3;
const factors = [1, 2, 4];

const binaries = (await findBinaries()).find(({ bin }) => bin.startsWith('/usr/lib/postgresql'));
if (!binaries) throw new Error('Install postgresql-15: its pg_dump and pg_restore are the peer.');
const { bin, major: version } = binaries;

/** The longest that clients waited, in milliseconds, one way and the other. */
async function moveBothWays(rows: number): Promise<{ godwit: number; dump: number }> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
  await chmod(dir, 0o755);
  const { ready, stop } = await startDevProcess(dir);
  try {
    const [from, to] = ready.regions;
    if (!from || !to) throw new Error('There are to be two regions.');
    const here = new ApiClient({ url: ready.api, token: ready.token, region: from.name });
    const there = here.inRegion(to.name);

    const address = await deployBirdLog(here, 'moved', { edge: from.edge, rows, version });
    const traffic = new Traffic(from.edge, new URL(address).hostname);
    traffic.start();
    await migrate(here, 'moved', to.name);
    const { longestWait, failures } = await traffic.stop();
    if (failures.length > 0) throw new Error(`Requests failed: ${failures.join('; ')}`);
    await there.post('/apps/moved/stop', {}, z.unknown());

    await deployBirdLog(here, 'dumped', { edge: from.edge, rows, version });
    const twin = await deployBirdLog(there, 'dumped', { edge: to.edge, rows: 0, version });
    await there.post('/apps/dumped/stop', {}, z.unknown());
    const [source, destination] = [
      await databaseUrl(here, 'dumped'),
      await databaseUrl(there, 'dumped'),
    ];
    const dump = await timed(async () => {
      await here.post('/apps/dumped/stop', {}, z.unknown());
      const restore = `"${bin}/pg_restore" --clean --if-exists --no-owner --dbname "$1"`;
      const pipe = `set -o pipefail; "${bin}/pg_dump" --format custom "$0" | ${restore}`;
      await promisify(execFile)('bash', ['-c', pipe, source, destination]);
      await there.post('/apps/dumped/start', {}, z.unknown());
      await until(
        async () => {
          const headers = { host: new URL(twin).hostname };
          const { statusCode, body } = await request(`${to.edge}/api/stats`, { headers });
          await body.dump();
          return statusCode === 200;
        },
        { timeout: 60_000, every: 10, what: 'the app to answer' },
      );
    });
    return { godwit: longestWait, dump };
  } finally {
    await stop();
    await rm(dir, { recursive: true, force: true });
  }
}

const found = factors.map((factor) => ({
  factor,
  waits: [] as { godwit: number; dump: number }[],
}));
for (let round = 0; round < rounds; round += 1) {
  for (const { factor, waits } of found) waits.push(await moveBothWays(base * factor));
}
say(`longest wait of a client while the application moves, median of ${rounds}`);
for (const { factor, waits } of found) {
  const godwit = median(waits.map((wait) => wait.godwit));
  const dump = median(waits.map((wait) => wait.dump));
  const rows = (base * factor).toLocaleString('en').padStart(12);
  say(
    `  ${rows} rows  godwit ${Math.round(godwit)} ms  stop, dump and restore, start ${Math.round(dump)} ms  ${(dump / godwit).toFixed(1)} × as long`,
  );
}
