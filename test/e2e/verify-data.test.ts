import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { MigrationJson } from '../../src/api/region-migrations/presenter.js';
import { Cluster } from '../../src/postgresql/cluster.js';
import { Registry } from '../../src/region/registry.js';
import { identify, signalProcess, waitForExit } from '../../src/shared/processes.js';
import { until } from '../../src/shared/until.js';
import { describeSteps, inventory, program, Stage, type TestApp } from './stage.js';

let stage: Stage;
let app: TestApp;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.deployBirdLog('heron', { rows: 1_500 });
});
afterAll(() => stage.remove());

/** Runs `godwit verify-data` as the owner. */
function verifyData(args: string[]): Promise<{ code: number; out: string; err: string }> {
  const env = {
    PATH: process.env['PATH'],
    GODWIT_URL: stage.ready.api,
    GODWIT_TOKEN: stage.ready.token,
  };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [program, 'verify-data', ...args, '--app', 'heron', '--region', stage.source.name],
      { env },
      (error, out, err) => {
        if (error && typeof error.code !== 'number') reject(error);
        else resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      },
    );
  });
}

/** The comparison that was begun last. */
async function seen(id: string) {
  const found = await app.client.verification('heron', id);
  if (!found) throw new Error('nothing was compared');
  return found;
}

const rowsOf = async (id: string, table: string) =>
  (await seen(id)).databases[0]?.parts.find(({ name }) => name.endsWith(`.${table}`))?.rows;

/** Keeps a table from being looked at until it is told to let go. */
async function lock(table: string, region = stage.source.name): Promise<() => Promise<void>> {
  const client = new pg.Client(await app.databaseUrl(region));
  client.on('error', () => undefined); // its session ends with its database
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table}`);
  return () => client.end();
}

/** Waits until the comparison has come to a table that is locked. */
const hasReached = (id: string, before: string) =>
  until(async () => (await rowsOf(id, before)) !== undefined, {
    timeout: 30_000,
    what: `the comparison to be done with ${before}`,
  });

const ended = (id: string) =>
  until(
    async () => {
      const now = await seen(id);
      return now.status !== 'running' && now;
    },
    { timeout: 60_000, what: 'the comparison to end' },
  );

/** Changes a row of the follower where its disk keeps it, and has it read from there; again, when its log has mended it. */
async function damage(table: string, was: string, is: string): Promise<void> {
  const isDamaged = () => damageOnce(table, was, is);
  await until(isDamaged, { timeout: 60_000, what: `${table} to be damaged` });
}

/** SQLSTATE of a page whose checksum is not that of what it holds. */
const dataCorrupted = 'XX001';

/** @returns whether whoever asks the follower comes upon it */
async function damageOnce(table: string, was: string, is: string): Promise<boolean> {
  // Who reads rows first notes on their page that they are committed: that would send it anew.
  await app.query(`VACUUM ${table}`);
  const [row] = await app.query<{ file: string }>(
    `SELECT pg_relation_filepath('${table}') AS file`,
  );
  const regions = await Registry.read(join(stage.dir, 'regions.json'));
  const [primary, follower] = await Promise.all(
    [stage.source, stage.destination].map(async ({ name }) => {
      const [database = ''] = (await inventory(stage, name)).databases;
      return { region: regions.get(name), database, name };
    }),
  );
  if (!primary?.region || !follower?.region) throw new Error('a region is not there');
  // What the log still had of these rows would mend them.
  await primary.region.flush({ database: primary.database });
  const position = await primary.region.position({ database: primary.database });
  await follower.region.waitFor({ database: follower.database, position, timeout: 30_000 });
  await follower.region.flush({ database: follower.database });

  const data = join(stage.dir, 'regions', follower.name, 'databases', follower.database, 'data');
  const file = join(data, row?.file ?? '');
  const content = await readFile(file);
  const at = content.indexOf(was);
  expect(at).toBeGreaterThan(0);
  content.write(is, at);
  await writeFile(file, content);
  // Its memory has it as it was.
  const pidFile = () => readFile(join(data, 'postmaster.pid'), 'utf8');
  const postmaster = identify(Number.parseInt(await pidFile(), 10));
  if (!postmaster) throw new Error('the follower does not run');
  signalProcess(postmaster, 'SIGKILL');
  await waitForExit(postmaster, 10_000);

  const { region, database } = follower;
  const isBack = () => region.waitFor({ database, position, timeout: 30_000 }).then(() => true);
  await until(() => isBack().catch(() => false), { timeout: 30_000, what: 'the follower' });
  const port = Number((await pidFile()).split('\n')[3]);
  const cluster = new Cluster(dirname(data), () => {
    throw new Error('It is the agent that starts it.');
  });
  const isWhole = (client: pg.Client) =>
    client.query(`SELECT FROM ${table}`).then(
      () => true,
      (error) => {
        if (error instanceof pg.DatabaseError && error.code === dataCorrupted) return false;
        throw error;
      },
    );
  const name = new URL(await app.databaseUrl()).pathname;
  return !(await cluster.session(port, isWhole, { database: name.slice(1) }));
}

it('compares before the switch, on demand, and after it; what differs is copied anew', async () => {
  const { id } = await app.client.createMigration('heron', stage.destination.name, '', {
    verify: 'none',
  });
  const copied = await app.runTo(id, 'data');
  expect(copied).toMatchObject({ verify: 'none', status: 'data-migrated' });
  expect(logsOf(copied)).toBe('Not compared, as was asked for.');

  await damage('species', 'Bar-tailed godwit', 'Bar-tailed gadwit');
  const told = await verifyData([id]);
  expect(told, told.err).toMatchObject({
    code: 1,
    out: expect.stringMatching(/public\.sightings .* the same\n.*public\.species .* differs\n/),
    err: expect.stringMatching(/heron differs from what follows it/),
  });
  expect(told.out).toMatch(
    /public\.species, .*: differs \(rows in the primary: \d+, in the follower: \d+\)/,
  );
  const failed = await app.client.migration('heron', id);
  expect(failed).toMatchObject({ status: 'error', failed_phase: 'data' });
  expect(logsOf(failed)).toMatch(/public\.species.*differs/);
  await expect(app.client.runMigration('heron', id, 'finalize')).rejects.toThrow(
    /data or abort|abort or data/,
  );

  const again = await app.run(id, 'data');
  expect(again, describeSteps(again)).toMatchObject({ status: 'data-migrated' });
  expect(logsOf(again)).toMatch(/^postgresql 18: [\d,]+ rows, .* compared\.$/);

  // Whoever dies meanwhile, it goes on where it was.
  const letGo = await lock('totals');
  await app.client.verifyData('heron', id);
  await hasReached(id, 'species');
  const before = await rowsOf(id, 'sightings');
  const { id: begun } = await app.client.verifyData('heron', id);
  await app.query(
    `INSERT INTO sightings (client, number, species_id, place, birds) SELECT 'late', n, 1, 'x', 1 FROM generate_series(1, 50) n`,
  );
  await stage.kill('server');
  await stage.kill(stage.destination.name);
  await letGo();
  await until(() => ended(id).catch(() => null), {
    timeout: 60_000,
    what: 'the server to be back',
  });
  expect(await seen(id)).toMatchObject({ id: begun, status: 'equal', phase: null });
  expect(await rowsOf(id, 'sightings')).toBe(before);

  // It gives way.
  await lock('totals');
  await app.client.verifyData('heron', id);
  await hasReached(id, 'species');
  const done = await app.run(id, 'finalize');
  expect(done, describeSteps(done)).toMatchObject({ status: 'done' });
  expect(await seen(id)).toMatchObject({
    status: 'stopped',
    reason: 'It gave way to finalize.',
  });

  // The old primary follows the new one.
  await app.query(
    `INSERT INTO sightings (client, number, species_id, place, birds) VALUES ('last', 1, 1, 'x', 1)`,
    stage.destination.name,
  );
  const back = await verifyData([id]);
  expect(back, back.err).toMatchObject({ code: 0, err: '' });
  expect(back.out).toMatch(/public\.species .* the same/);
  await lock('totals', stage.destination.name);
  await app.client.verifyData('heron', id);
  expect(await verifyData([id, '--stop'])).toMatchObject({ code: 0 });
  expect(await seen(id)).toMatchObject({ status: 'stopped', reason: 'It was told to end.' });
  await app.run(id, 'complete');
  await expect(app.client.verifyData('heron', id)).rejects.toThrow(/compared when they follow/);
});

const logsOf = ({ steps }: MigrationJson) =>
  steps.find(({ name }) => name.startsWith('Compare'))?.logs;
