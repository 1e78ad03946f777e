import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { postgresql } from '../../../src/agent/databases/postgresql/postgresql.js';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { readControlFile } from '../../../src/postgresql/control-file.js';
import { formatLsn, parseLsn } from '../../../src/postgresql/lsn.js';
import { lowPriority } from '../../../src/shared/give-way.js';
import type { Rate } from '../../../src/shared/pace.js';
import { identify, type ProcessIdentity, signalProcess } from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import { mayMount, SmallDisk } from './small-disk.js';
import {
  admittedFromHere,
  afterwards,
  cleanUp,
  copiedOnceThereIsRoom,
  kill,
  LimitedCopy,
  logger,
  streaming,
  TestDatabases,
} from './test-databases.js';

const majors = await findBinaries();
afterEach(cleanUp);

const create = (more: { copyRate?: Rate } = {}, disk?: SmallDisk) =>
  TestDatabases.create(postgresql({ majors, address: '127.0.0.1', logger, ...more }), disk);

async function connect({ databases }: TestDatabases, database: string): Promise<pg.Client> {
  const client = new pg.Client(databases.variables(database)['DATABASE_URL']);
  client.on('error', () => undefined); // sessions are ended on purpose here
  await client.connect();
  afterwards(() => client.end());
  return client;
}

async function postmaster({ dir }: TestDatabases, database: string): Promise<ProcessIdentity> {
  const pidFile = join(dir, database, 'data', 'postmaster.pid');
  const identity = identify(Number.parseInt(await readFile(pidFile, 'utf8'), 10));
  if (!identity) throw new Error('PostgreSQL does not run');
  return identity;
}

const count = async (client: pg.Client) =>
  Number((await client.query('SELECT count(*) FROM entries')).rows[0].count);

describe.each(majors)('PostgreSQL $major', ({ major }) => {
  it('moves with everything, loses nothing, and follows back', async () => {
    const [here, there] = [await create(), await create()];
    const follower = randomUUID();
    const old = await here.provision(major);
    const twin = await there.provision(major, 'empty');
    expect(there.databases.variables(twin)).toEqual({});

    const app = await connect(here, old);
    await app.query('CREATE TABLE entries (id serial PRIMARY KEY, text text)');
    await app.query(
      `INSERT INTO entries (text) SELECT repeat('x', 100) FROM generate_series(1, 20000)`,
    );

    const endpoint = await here.databases.grantFollow({ database: old, follower });
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.follow({ database: twin, endpoint });
    await app.query(`INSERT INTO entries (text) VALUES ('while following')`);

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(connect(here, old)).rejects.toThrow();
    await here.restart();
    await expect(connect(here, old)).rejects.toThrow();
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });

    const moved = await connect(there, twin);
    expect(await count(moved)).toBe(20_001);
    await moved.query(`INSERT INTO entries (text) VALUES ('after the switch')`);

    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await streaming(here, old);
    const now = await there.databases.position({ database: twin });
    await here.databases.waitFor({ database: old, position: now, timeout: 60_000 });
    expect(await count(await connect(here, old))).toBe(20_002);
  });
});

const newest = majors[0]?.major ?? '';

describe('a database', () => {
  it('leaves nothing of a revoked grant, and takes writes again when unfenced', async () => {
    const [here, there] = [await create(), await create()];
    const follower = randomUUID();
    const old = await here.provision(newest);
    const twin = await there.provision(newest, 'empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await here.databases.fence({ database: old });
    await there.databases.standDown({ database: twin });
    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });

    const app = await connect(here, old);
    await app.query('CREATE TABLE entries (id int)');
    const { rows } = await app.query(
      `SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_roles
        WHERE rolname LIKE 'godwit\\_follow%') AS left`,
    );
    expect(rows[0].left).toBe('0');
    const hba = await readFile(join(here.dir, old, 'data', 'pg_hba.conf'), 'utf8');
    expect(hba).not.toContain('replication');

    await there.databases.deprovision(twin);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('comes back on another port when its own was taken while it was fenced', async () => {
    const here = await create();
    const database = await here.provision(newest);
    const { port } = new URL(here.databases.variables(database)['DATABASE_URL'] ?? '');
    await here.databases.fence({ database });
    const thief = createServer().listen(Number(port), '127.0.0.1');
    await once(thief, 'listening');
    afterwards(async () => thief.close());
    await here.databases.unfence({ database });
    const moved = new URL(here.databases.variables(database)['DATABASE_URL'] ?? '').port;
    expect(moved).not.toBe(port);
    await (await connect(here, database)).query('SELECT 1');
  });

  it('does what it is asked for although it crashed, and left locks of somebody who is there', async () => {
    const here = await create();
    const database = await here.provision(newest);
    // PostgreSQL believes in a process of its own account that is none of its parents.
    const other = await postmaster(here, await here.provision(newest));
    const { port } = new URL(here.databases.variables(database)['DATABASE_URL'] ?? '');
    const lock = join(here.dir, database, 'data', `.s.PGSQL.${port}.lock`);
    const text = await readFile(lock, 'utf8');
    // Before the next round finds out.
    signalProcess(await postmaster(here, database), 'SIGKILL');
    await writeFile(lock, text.replace(/^\d+/, `${other.pid}`));
    await here.databases.flush({ database });
    await kill(await postmaster(here, database));
    await here.databases.grantFollow({ database, follower: randomUUID() });
    await (await connect(here, database)).query('SELECT 1');
  });

  it('is copied by whom it was promised to, from where that one is, no faster than its region wants, and last of all', async () => {
    const limit = new LimitedCopy();
    const [here, there] = [await create({ copyRate: limit.now }), await create()];
    const old = await here.provision(newest);
    const twin = await there.provision(newest, 'empty');
    const endpoint = await admittedFromHere(here, old, there, twin);
    const app = await connect(here, old);
    const givesWay = async () => {
      const { rows } = await app.query<{ pid: number }>('SELECT pid FROM pg_stat_replication');
      return rows.some(({ pid }) => getPriority(pid) === lowPriority);
    };
    await limit.follow(there, twin, endpoint, () =>
      until(givesWay, { timeout: 30_000, what: 'whoever sends the copy to give way' }),
    );
    await streaming(there, twin);
  });

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(16);
    afterwards(() => disk.remove());
    const [here, there] = [await create(), await create({}, disk)];
    const [old, twin] = [await here.provision(newest), await there.provision(newest, 'empty')];
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await copiedOnceThereIsRoom(there, twin, endpoint, disk);
    await streaming(there, twin);
    // Nor does a follower whose disk is full harm its primary, or keep itself from being removed.
    await disk.fill();
    await (await connect(here, old)).query('CREATE TABLE entries (id int)');
    await there.databases.standDown({ database: twin });
    await there.databases.deprovision(twin);
    await disk.empty();
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('is removed while it is being copied, however often that is asked', async () => {
    const [here, there] = [await create(), await create()];
    const old = await here.provision(newest);
    const twin = await there.provision(newest, 'empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await Promise.all([there.databases.deprovision(twin), there.databases.deprovision(twin)]);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('is removed, and does not keep its region from starting, when its primary no longer lets it in', async () => {
    const [here, there] = [await create(), await create()];
    const follower = randomUUID();
    const old = await here.provision(newest);
    const twins = [await there.provision(newest, 'empty'), await there.provision(newest, 'empty')];
    for (const twin of twins) {
      const endpoint = await here.databases.grantFollow({ database: old, follower });
      await there.databases.follow({ database: twin, endpoint });
      await until(
        async () => (await there.databases.following({ database: twin })).stage !== 'copying',
        { timeout: 30_000, every: 1, what: 'the copy' },
      );
      await here.databases.revokeFollow({ database: old, follower });
    }
    await there.databases.deprovision(twins[0] ?? '');
    await there.restart();
    await there.databases.deprovision(twins[1] ?? '');
    expect(await readdir(there.dir)).toEqual([]);
  }, 60_000);

  it('comes back after a crash, fences what had crashed, and copies again after a restart', async () => {
    const [here, there] = [await create(), await create()];
    const old = await here.provision(newest);
    await (await connect(here, old)).query('CREATE TABLE entries AS SELECT 1 AS id');
    await kill(await postmaster(here, old));
    const app = await until(() => connect(here, old).catch(() => null), {
      timeout: 60_000,
      what: 'the database to come back',
    });
    expect(await count(app)).toBe(1);

    const twin = await there.provision(newest, 'empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await there.restart();
    await streaming(there, twin);

    await kill(await postmaster(here, old));
    const position = await here.databases.fence({ database: old });
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });

    // Beyond the last record, which begins there.
    const missed = { position: formatLsn(parseLsn(position) + 200n), timeout: 60_000 };
    await expect(there.databases.waitFor({ database: twin, ...missed })).rejects.toMatchObject({
      details: { code: 'cut_off' },
    });
    // It dies once more just when it lets its follower in, which is kept from coming until then.
    const follower = await postmaster(there, twin);
    signalProcess(follower, 'SIGSTOP');
    const ending = here.databases.fence({ database: old, again: true });
    const folder = join(here.dir, old, 'data');
    const isReady = async () =>
      (await readFile(join(folder, 'postmaster.pid'), 'utf8').catch(() => '')).includes('ready');
    await until(isReady, { timeout: 30_000, every: 5, what: 'it to let followers in' });
    await kill(await postmaster(here, old));
    signalProcess(follower, 'SIGCONT');
    const end = await ending;
    expect((await readControlFile(folder)).shutDown).toBe(true);
    expect(parseLsn(end)).toBeGreaterThan(parseLsn(missed.position));
    await there.databases.waitFor({ database: twin, position: end, timeout: 60_000 });
    await expect(connect(here, old)).rejects.toThrow();
  });
});
