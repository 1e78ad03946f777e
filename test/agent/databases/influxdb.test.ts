import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { findInfluxd, influxdb } from '../../../src/agent/databases/influxdb/influxdb.js';
import { inventory } from '../../../src/agent/databases/offline/door.js';
import { listFolder, sizeOf } from '../../../src/agent/databases/offline/listing.js';
import { endpoint as endpointSchema } from '../../../src/agent/databases/offline/record.js';
import { newId } from '../../../src/shared/ids.js';
import { readJsonFile } from '../../../src/shared/json-file.js';
import { processIdentity, signalProcess, waitForExit } from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import { InfluxdbClient } from './influxdb-client.js';
import { mayMount, SmallDisk } from './small-disk.js';
import { copiedOnceThereIsRoom } from './test-databases.js';

const influxd = await findInfluxd();
const logger = pino({ level: 'silent' });

/** The databases of one region, in a folder of their own. */
class TestRegion {
  databases: Databases;

  private constructor(readonly dir: string) {
    this.databases = this.#open();
  }

  static async create(disk?: SmallDisk): Promise<TestRegion> {
    const dir = disk?.folder ?? (await mkdtemp(join(tmpdir(), 'godwit-test-')));
    const region = new TestRegion(dir);
    await region.databases.recover();
    return region;
  }

  async remove(): Promise<void> {
    await this.databases.close({ stop: true });
    await rm(this.dir, { recursive: true, force: true });
  }

  /** As after a crash of the agent: nothing is stopped, nothing is told. */
  async restart(): Promise<void> {
    await this.databases.close({ stop: false });
    this.databases = this.#open();
    await this.databases.recover();
  }

  async provision(role: 'primary' | 'empty' = 'primary'): Promise<string> {
    const id = newId();
    const version = influxd?.version ?? '';
    await this.databases.provision('influxdb', { id, plan: 'influxdb-sandbox', version, role });
    return id;
  }

  client(database: string): InfluxdbClient {
    return new InfluxdbClient(this.url(database));
  }

  url(database: string): string {
    return this.databases.variables(database)['INFLUX_URL'] ?? '';
  }

  async kill(database: string): Promise<void> {
    const file = join(this.dir, database, 'process.json');
    const server = await readJsonFile(file, processIdentity);
    if (!server) throw new Error('InfluxDB does not run');
    signalProcess(server, 'SIGKILL');
    await waitForExit(server, 10_000);
  }

  /** Waits until it has what it can have while its primary is up. */
  waiting(database: string) {
    return until(
      async () => {
        const state = await this.databases.following({ database });
        if (state.stage === 'failed') throw new Error(state.reason ?? '');
        return state.stage === 'waiting' && state;
      },
      { timeout: 30_000, what: 'the copy ahead' },
    );
  }

  /** The files of a database that are never written again, and which files they are. */
  async lasting(database: string): Promise<Record<string, number>> {
    const folder = join(this.dir, database, 'data', 'data');
    const names = await readdir(folder, { recursive: true });
    const found = names.filter((name) => name.endsWith('.tsm')).sort();
    const inodes = found.map(async (name) => [name, (await stat(join(folder, name))).ino] as const);
    return Object.fromEntries(await Promise.all(inodes));
  }

  /** Bytes in the log of latest writes. */
  async logged(database: string): Promise<number> {
    const { files } = await listFolder(join(this.dir, database, 'data', 'wal'), () => false);
    return sizeOf(files);
  }

  #open(): Databases {
    const product = influxdb({ influxd, address: '127.0.0.1', logger });
    // Tended so often that this comes at every moment of whatever is done to them.
    return new Databases({ dir: this.dir, products: [product], rounds: 10, logger });
  }
}

const follower = randomUUID();
let here: TestRegion;
let there: TestRegion;
/** Holds a lot by the time that tests begin. */
let old: string;

beforeAll(async () => {
  [here, there] = [await TestRegion.create(), await TestRegion.create()];
  old = await here.provision();
  await fill(here.client(old));
  // What is not written to for a while comes to be in files that last, and leaves the log.
  await until(async () => (await here.logged(old)) === 0, {
    timeout: 60_000,
    what: 'everything to be in files that last',
  });
});

afterAll(async () => {
  await here?.remove();
  await there?.remove();
});

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Several databases, with all that they can have in them. */
async function fill(client: InfluxdbClient): Promise<void> {
  const base = 1_700_000_000_000_000_000n;
  const at = (index: number) => base + BigInt(index) * 1_000_000_000n + 7n;
  await client.query('CREATE DATABASE "wéird name"');
  await client.query('CREATE DATABASE metrics WITH DURATION INF NAME "a year"');
  await client.query(
    'CREATE RETENTION POLICY weekly ON metrics DURATION 260w REPLICATION 1 SHARD DURATION 1w',
  );
  await client.query(`CREATE USER reader WITH PASSWORD 'let me in'`);
  await client.query('GRANT READ ON metrics TO reader');
  await client.query(
    'CREATE CONTINUOUS QUERY means ON metrics BEGIN SELECT mean(float) INTO metrics.weekly.means FROM metrics."a year".points GROUP BY time(1h) END',
  );
  const points = Array.from(
    { length: 5_000 },
    (_, n) =>
      `points,host=h${n % 50},region=eu\\ west float=${n / 7},integer=${2n ** 62n + BigInt(n)}i,text="a \\"quoted\\" ✓ ${n}",flag=${n % 2 === 0} ${at(n)}`,
  );
  await client.write(points, { db: 'metrics' });
  const weeks = Array.from({ length: 3 }, (_, n) => `weeks value=${n} ${at(n * 604_800)}`);
  await client.write(weeks, { db: 'metrics', rp: 'weekly' });
  const series = Array.from({ length: 5_000 }, (_, n) => `many,series=s${n} value=${n} ${at(0)}`);
  await client.write(series, { db: 'wéird name' });
  await client.write(['lone,tag=one value=1 1']);
}

async function move(from: TestRegion, source: string, to: TestRegion, twin: string) {
  const endpoint = await from.databases.grantFollow({ database: source, follower });
  await to.databases.follow({ database: twin, endpoint });
  const ahead = await to.waiting(twin);
  const position = await from.databases.fence({ database: source });
  return { endpoint, ahead, position };
}

describe('InfluxDB', () => {
  it('moves with everything, most of it ahead, and back with what was written since', async () => {
    const twin = await there.provision('empty');
    expect(there.databases.variables(twin)).toEqual({});
    const { size, move: way } = await here.databases.inspect({ database: old });
    expect(way).toMatchObject({ kind: 'offline' });

    const endpoint = await here.databases.grantFollow({ database: old, follower });
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    await there.databases.follow({ database: twin, endpoint });
    const ahead = await there.waiting(twin);
    expect(ahead.copied).toBeGreaterThan(0);
    expect(ahead.lag).toBeGreaterThan(0);
    expect(ahead.lag).toBeLessThan(size);
    await here.client(old).write(['late value=1 1', 'late value=2 2']);
    const before = await here.client(old).everything();

    const position = await here.databases.fence({ database: old });
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(here.client(old).query('SHOW DATABASES')).rejects.toThrow();
    await here.kill(old).catch(() => undefined);
    await here.restart();
    await expect(here.client(old).query('SHOW DATABASES')).rejects.toThrow();
    await expect(there.databases.promote({ database: twin })).rejects.toThrow('whole copy');
    await there.databases.waitFor({ database: twin, position, timeout: 30_000 });
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });
    expect(await there.client(twin).everything()).toEqual(before);

    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await there.client(twin).write(['after value=1 1']);
    await there.client(twin).query('DROP DATABASE "wéird name"');
    const after = await there.client(twin).everything();
    const lasting = await here.lasting(old);
    const { position: end } = await move(there, twin, here, old);
    await here.databases.waitFor({ database: old, position: end, timeout: 30_000 });
    await here.databases.promote({ database: old });
    expect(await here.client(old).everything()).toEqual(after);
    // What both had was not copied again, and what was dropped is gone.
    const now = await here.lasting(old);
    expect(Object.keys(now).length).toBeGreaterThan(0);
    expect(lasting).toMatchObject(now);
    expect(await readdir(join(here.dir, old, 'data', 'data'))).not.toContain('wéird name');
    await there.databases.deprovision(twin);
    await here.databases.revokeFollow({ database: old, follower });
  });

  it('is copied whole although everything dies meanwhile', async () => {
    const twin = await there.provision('empty');
    await here.client(old).write(['crash value=1 1']);
    const before = await here.client(old).everything();
    await here.kill(old);
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint });
    await there.restart();
    await here.restart();
    await there.waiting(twin);
    await here.kill(old);
    const position = await here.databases.fence({ database: old });

    const waiting = there.databases.waitFor({ database: twin, position, timeout: 30_000 });
    const interrupted = expect(waiting).rejects.toThrow('given up');
    await there.restart();
    await interrupted;
    const again = there.databases.waitFor({ database: twin, position, timeout: 30_000 });
    await here.restart();
    await again;
    // As if it had died between the two renames that put a copy in its place.
    const folder = join(there.dir, twin);
    await there.databases.close({ stop: false });
    await rename(join(folder, 'data'), join(folder, 'previous'));
    await there.restart();
    await there.databases.promote({ database: twin });
    await there.kill(twin);
    const everything = () => there.client(twin).everything();
    const after = await until(() => everything().catch(() => null), {
      timeout: 60_000,
      what: 'the database to come back',
    });
    expect(after).toEqual(before);

    await there.databases.standDown({ database: twin });
    await there.databases.standDown({ database: twin });
    expect(await readdir(folder)).not.toContain('data');
    await here.databases.unfence({ database: old });
    await here.databases.unfence({ database: old });
    expect(await here.client(old).everything()).toEqual(before);
    await there.databases.deprovision(twin);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).not.toContain(twin);
    await here.databases.revokeFollow({ database: old, follower });
  });

  it('gives its files to whom it let follow, and all of them only while it is fenced', async () => {
    const endpoint = endpointSchema.parse(
      await here.databases.grantFollow({ database: old, follower, from: ['127.0.0.1'] }),
    );
    const at = (localAddress: string) => {
      const { certificate: ca } = endpoint;
      const agent = new Agent({
        localAddress,
        connect: { ca, checkServerIdentity: () => undefined },
      });
      cleanUp.push(() => agent.destroy());
      return agent;
    };
    const home = at('127.0.0.1');
    const ask = async (
      part: string,
      { password = endpoint.password, body = '', dispatcher = home } = {},
    ) =>
      request(`https://${endpoint.host}:${endpoint.port}/${part}`, {
        ...{ method: body === '' ? 'GET' : 'POST', body: body || null, dispatcher },
        headers: { authorization: `Bearer ${password}` },
      });
    expect((await ask('ahead', { password: 'guessed' })).statusCode).toBe(401);
    expect((await ask('elsewhere')).statusCode).toBe(404);
    const elsewhere = await ask('ahead', { dispatcher: at('127.0.0.2') });
    expect(elsewhere.statusCode).toBe(401);
    expect(await elsewhere.body.text()).toContain('127.0.0.2');
    expect((await ask('whole')).statusCode).toBe(409);
    const outside = { position: null, files: [{ path: '../influxdb.json', size: 1 }] };
    const theft = await ask('ahead', { body: JSON.stringify(outside) });
    expect(theft.statusCode).toBe(400);

    const position = await here.databases.fence({ database: old });
    const had = inventory.parse(await (await ask('whole')).body.json());
    expect(had.position).toBe(position);
    // More than what is on its way at once, of files that stay as large as they are.
    const files = had.files.filter(({ path }) => path.includes('_series/'));
    const order = { position, files };
    const stale = { ...order, position: newId() };
    expect((await ask('whole', { body: JSON.stringify(stale) })).statusCode).toBe(409);
    const contents = await ask('whole', { body: JSON.stringify(order) });
    expect(contents.statusCode).toBe(200);
    // What is read of it from now on could be changing.
    await here.databases.unfence({ database: old });
    const came = contents.body.bytes().then(({ length }) => length);
    await expect(came).rejects.toThrow();
    await here.databases.revokeFollow({ database: old, follower });
    await expect(ask('ahead')).rejects.toThrow();
  });

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(1 / 16);
    cleanUp.push(() => disk.remove());
    const small = await TestRegion.create(disk);
    cleanUp.push(() => small.databases.close({ stop: true }));
    const twin = await small.provision('empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await copiedOnceThereIsRoom(small, twin, endpoint, disk);
    await small.waiting(twin);
    await disk.fill();
    await small.databases.standDown({ database: twin });
    await small.databases.deprovision(twin);
    await disk.empty();
    expect(await readdir(small.dir)).toEqual([]);
    await here.databases.revokeFollow({ database: old, follower });
  });

  it('does not take for whole what was copied of an earlier fence, nor go on with what is taken back', async () => {
    const twin = await there.provision('empty');
    const { position } = await move(here, old, there, twin);
    await there.databases.waitFor({ database: twin, position, timeout: 30_000 });
    await here.databases.unfence({ database: old });
    await here.client(old).write(['between value=1 1']);
    const again = await move(here, old, there, twin);
    expect(again.position).not.toBe(position);
    await there.databases.waitFor({ database: twin, position: again.position, timeout: 30_000 });
    await there.databases.promote({ database: twin });
    const [between] = await there.client(twin).query('SELECT * FROM between');
    expect(between?.values).toHaveLength(1);

    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    const next = await there.provision('empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: next, endpoint });
    await there.waiting(next);
    const waiting = there.databases.waitFor({ database: next, position, timeout: 30_000 });
    const vain = expect(waiting).rejects.toThrow(/given up|follows nobody/);
    await there.databases.standDown({ database: next });
    await vain;
    for (const one of [twin, next]) await there.databases.deprovision(one);
    await here.databases.revokeFollow({ database: old, follower });
  });

  it('comes back on another port when its own was taken while it was fenced', async () => {
    const { port } = new URL(here.url(old));
    await here.databases.fence({ database: old });
    const thief = createServer().listen(Number(port), '127.0.0.1');
    await once(thief, 'listening');
    cleanUp.push(async () => thief.close());
    await here.databases.unfence({ database: old });
    expect(new URL(here.url(old)).port).not.toBe(port);
    await here.client(old).query('SHOW DATABASES');
  });
});
