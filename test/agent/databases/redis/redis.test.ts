import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import { afterEach, describe, expect, it } from 'vitest';
import { findRedis } from '../../../../src/agent/databases/redis/binaries.js';
import {
  type DatabaseRecord,
  endpoint as endpointSchema,
  record,
  recordFile,
} from '../../../../src/agent/databases/redis/record.js';
import { redis } from '../../../../src/agent/databases/redis/redis.js';
import { RedisServer } from '../../../../src/agent/databases/redis/server.js';
import { messageOf } from '../../../../src/shared/errors.js';
import { readJsonFile, writeJsonFile } from '../../../../src/shared/json-file.js';
import type { Rate } from '../../../../src/shared/pace.js';
import { isAlive, type ProcessIdentity, signalProcess } from '../../../../src/shared/processes.js';
import { createCertificate } from '../../../../src/shared/self-signed.js';
import { until } from '../../../../src/shared/until.js';
import { ComparedPair, compared, differences } from '../compared-pair.js';
import { mayMount, SmallDisk } from '../small-disk.js';
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
} from '../test-databases.js';
import { type Client, clientOf, contentsOf, fill, lostOf, Writer } from './contents.js';

const programs = await findRedis();
afterEach(cleanUp);

const create = (more: { copyRate?: Rate } = {}, disk?: SmallDisk) =>
  TestDatabases.create(redis({ programs, address: '127.0.0.1', logger, ...more }), disk);

const urlOf = ({ databases }: TestDatabases, database: string) =>
  databases.variables(database)['REDIS_URL'] ?? '';

async function connect(region: TestDatabases, database: string): Promise<Client> {
  const client = clientOf(urlOf(region, database));
  await client.connect();
  afterwards(async () => client.destroy());
  return client;
}

async function processOf({ dir }: TestDatabases, database: string): Promise<ProcessIdentity> {
  const identity = await new RedisServer(join(dir, database)).identity();
  if (!identity) throw new Error('Redis does not run');
  return identity;
}

async function recordOf({ dir }: TestDatabases, database: string): Promise<DatabaseRecord> {
  const found = await readJsonFile(recordFile(join(dir, database)), record);
  if (!found) throw new Error('there is no record');
  return found;
}

const isCopied = ({ state }: DatabaseRecord) => state.role === 'follower' && state.copied;

/** Something that only the agent may ask. */
async function ask(region: TestDatabases, database: string) {
  const { adminPassword } = await recordOf(region, database);
  return new RedisServer(join(region.dir, database)).session(adminPassword, (session) =>
    session.info(),
  );
}

/** Two regions, and a database of the first that is followed by its twin. */
async function followed(version: string, before: (app: Client) => Promise<unknown>) {
  const [here, there] = [await create(), await create()];
  const follower = randomUUID();
  const old = await here.provision(version);
  const app = await connect(here, old);
  await before(app);
  const twin = await there.provision(version, 'empty');
  const endpoint = await here.databases.grantFollow({ database: old, follower });
  await there.databases.follow({ database: twin, endpoint });
  return { here, there, old, twin, follower, endpoint, app };
}

describe.each(programs)('Redis $version', ({ version }) => {
  it('moves with everything, loses nothing, and follows back without a new copy', async () => {
    const { here, there, old, twin, follower, endpoint, app } = await followed(version, fill);
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    await streaming(there, twin);
    await there.databases.follow({ database: twin, endpoint });
    await app.rPush('list', 'while following');
    await app.xReadGroup('watchers', 'two', { key: 'stream', id: '>' });

    const before = await contentsOf(urlOf(here, old));
    await here.databases.flush({ database: old });
    const subscriber = await connect(here, old);
    await subscriber.subscribe('news', () => undefined);
    const ends = Date.now() + 500;
    await app.set('short', 'ends soon', { expiration: { type: 'PXAT', value: ends } });
    const position = await here.databases.fence({ database: old });
    await until(() => !app.isOpen && !subscriber.isOpen, {
      ...{ timeout: 60_000, what: 'clients to be sent away' },
    });
    await here.restart();
    // What ends by itself does not while it is fenced, or its history would go on.
    const looks = 300; // Redis looks for what has ended ten times a second
    await until(() => Date.now() > ends + looks, { timeout: 60_000, what: 'the key to end' });
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(connect(here, old)).rejects.toThrow('WRONGPASS');
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });
    await there.databases.waitFor({ database: twin, position, timeout: 0 });
    expect(await contentsOf(urlOf(there, twin))).toEqual(before);

    const moved = await connect(there, twin);
    expect(await moved.fCall('count', { keys: ['number'], arguments: [] })).toBe(43);
    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await streaming(here, old);
    const now = await there.databases.position({ database: twin });
    await here.databases.waitFor({ database: old, position: now, timeout: 60_000 });
    expect(await contentsOf(urlOf(here, old))).toEqual(await contentsOf(urlOf(there, twin)));
    expect((await ask(here, old)).master_replid2).toBe(position.split(':')[0]);
  });
});

describe.each(programs)('Redis $version and its follower', ({ version }) => {
  it('are the same while written to, and differ where the follower was changed behind its back', async () => {
    const { here, there, old, twin, app } = await followed(version, async (client) => {
      await fill(client);
      for (let number = 0; number < 400; number += 1) void client.set(`key-${number}`, number);
      await client.set('', 'of no name');
    });
    await streaming(there, twin);
    const pair = new ComparedPair([here, old], [there, twin]);
    let writes = 0;
    const write = async () => writes < 20 && app.rPush('list', `write ${++writes}`);
    const whileWrittenTo = {
      ...pair,
      contents: () => pair.contents(),
      primary: {
        ...pair.primary,
        async digest(...given: Parameters<typeof pair.primary.digest>) {
          await write();
          const seen = await pair.primary.digest(...given);
          await write();
          return seen;
        },
      },
    };
    const found = await compared(whileWrittenTo, '');
    expect(differences(found)).toEqual([]);
    expect([...found.keys()]).toEqual(['database 0', 'database 15', 'database 3', 'functions']);
    expect(found.get('functions')).toMatchObject({ rows: 1, isDone: true });
    expect(found.get('database 0')?.rows).toBe(418);
    expect(writes).toBe(20);

    const { adminPassword } = await recordOf(there, twin);
    await new RedisServer(join(there.dir, twin)).session(adminPassword, async ({ tell, ask }) => {
      await tell('CONFIG', 'SET', 'replica-read-only', 'no');
      await tell('SET', 'key-123', 'another');
      await tell('SETRANGE', 'large', '2500000', 'y');
      await tell('LSET', 'long-list', '1500', 'another');
      await tell('SREM', 'set', 'member-77');
      await tell('HSET', 'long-hash', 'member-5', '');
      await tell('ZADD', 'long-ranks', '4.5', 'member-4');
      await tell('XGROUP', 'SETID', 'stream', 'watchers', '0');
      await tell('PEXPIRE', 'ends', '1000000');
      await ask('SET', Buffer.from([0, 255, 10, 13]), '');
      await tell('SELECT', '3');
      await tell('DEL', 'string');
      await tell('SET', 'added', '');
    });

    const wrong = differences(await compared(pair, ''));

    const named = wrong.map(
      ({ name, range, primary, follower }) => `${name} ${range.to} ${primary} ${follower}`,
    );
    expect(named.sort()).toEqual([
      'database 0 "ends" 1 1',
      'database 0 "key-123" 1 1',
      'database 0 "large" 1 1',
      'database 0 "long-hash" 1 1',
      'database 0 "long-list" 1 1',
      'database 0 "long-ranks" 1 1',
      'database 0 "set" 1 1',
      'database 0 "stream" 1 1',
      'database 0 {"hex":"00ff0a0d"} 1 1',
      'database 3 "added" 0 1',
      'database 3 null 1 0',
    ]);
  });
});

const newest = programs[0]?.version ?? '';
const nothing = async () => undefined;

/** Exchanges the roles of two databases, as a switch does. */
async function exchange(
  [from, old]: readonly [TestDatabases, string],
  [to, twin]: readonly [TestDatabases, string],
  follower: string,
): Promise<void> {
  const position = await from.databases.fence({ database: old });
  await to.databases.waitFor({ database: twin, position, timeout: 60_000 });
  await to.databases.promote({ database: twin });
  const endpoint = await to.databases.grantFollow({ database: twin, follower });
  await from.databases.followBack({ database: old, endpoint });
}

describe('a Redis', () => {
  it('goes there and comes back with every acknowledged write, whoever dies meanwhile', async () => {
    const { here, there, old, twin, follower } = await followed(newest, nothing);
    let [at, serves] = [here, old];
    const writer = new Writer(() => urlOf(at, serves));
    afterwards(() => writer.stop());
    await streaming(there, twin);
    await writer.more(200);

    await kill(await processOf(here, old));
    await writer.more(50);
    await streaming(there, twin);
    await kill(await processOf(there, twin));
    await there.restart();
    await writer.more(50);
    await streaming(there, twin);
    await here.restart();
    await streaming(there, twin);

    await exchange([here, old], [there, twin], follower);
    [at, serves] = [there, twin];
    await writer.more(200);
    await kill(await processOf(there, twin));
    await writer.more(50);
    await kill(await processOf(here, old));
    await streaming(here, old);
    await exchange([there, twin], [here, old], follower);
    [at, serves] = [here, old];
    await writer.more(50);
    await writer.stop();
    expect(await lostOf(urlOf(here, old), writer)).toEqual([]);
  });

  it('is fenced whatever dies, and takes writes again when unfenced', async () => {
    const { here, there, old, twin, follower } = await followed(newest, nothing);
    const writer = new Writer(() => urlOf(here, old));
    afterwards(() => writer.stop());
    await streaming(there, twin);
    await writer.more(20);
    await kill(await processOf(here, old));
    await here.databases.fence({ database: old });
    const acknowledged = writer.acknowledged.length;
    await kill(await processOf(here, old));
    await here.restart();
    await kill(await processOf(here, old));
    const position = await here.databases.fence({ database: old });
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await expect(connect(here, old)).rejects.toThrow();
    expect(writer.acknowledged).toHaveLength(acknowledged);

    await kill(await processOf(here, old));
    const end = await here.databases.fence({ database: old, again: true });
    expect(end).not.toBe(position);
    const missed = there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await expect(missed).rejects.toMatchObject({ details: { code: 'cut_off' } });
    await there.databases.waitFor({ database: twin, position: end, timeout: 60_000 });

    await there.databases.standDown({ database: twin });
    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    await here.databases.unfence({ database: old });
    await writer.more(20);
    await writer.stop();
    expect(await lostOf(urlOf(here, old), writer)).toEqual([]);
    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });
    await there.databases.deprovision(twin);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('takes a fence back although the server hangs, and what was acknowledged is there', async () => {
    const here = await create();
    const old = await here.provision(newest);
    const app = await connect(here, old);
    await app.set('key', 'value');
    const server = await processOf(here, old);
    signalProcess(server, 'SIGSTOP');
    const fence = here.databases.fence({ database: old }).catch(messageOf);
    await here.databases.unfence({ database: old });
    expect(await fence).toBe('This has been taken back.');
    expect(isAlive(server)).toBe(false);
    const again = await connect(here, old);
    expect(await again.get('key')).toBe('value');
    await again.set('key', 'new');
  });

  it('finishes a promotion that its agent died in, and forgets it when it stands down', async () => {
    const { there, twin } = await followed(newest, (app) => app.set('key', 'value'));
    await streaming(there, twin);
    // What is written down before the server is told.
    await there.databases.close({ stop: false });
    const written = await recordOf(there, twin);
    const state = { role: 'primary', begun: true, fenced: false, grants: [] };
    await writeJsonFile(recordFile(join(there.dir, twin)), { ...written, state });
    await there.restart();
    const app = await connect(there, twin);
    await until(() => app.set('key', 'new').catch(() => null), {
      ...{ timeout: 60_000, what: 'the database to take writes' },
    });
    await there.databases.standDown({ database: twin });
    expect(there.databases.variables(twin)).toEqual({});
    await expect(app.get('key')).rejects.toThrow();
    await expect(there.databases.promote({ database: twin })).rejects.toThrow('whole copy');
  });

  it('is promoted only when it would come back with its data', async () => {
    const { there, twin } = await followed(newest, (app) =>
      app.set('large', randomBytes(20_000_000)),
    );
    await until(async () => (await ask(there, twin)).master_link_status === 'up', {
      ...{ timeout: 30_000, every: 1, what: 'the copy to be in memory' },
    });
    await there.databases.promote({ database: twin });
    await kill(await processOf(there, twin));
    const app = await until(() => connect(there, twin).catch(() => null), {
      ...{ timeout: 60_000, what: 'the database to start' },
    });
    await until(async () => (await app.exists('large').catch(() => 0)) === 1, {
      ...{ timeout: 60_000, what: 'the data' },
    });
  });

  it('does not start without the data that it had', async () => {
    const here = await create();
    const database = await here.provision(newest);
    await (await connect(here, database)).set('key', 'value');
    const log = join(here.dir, database, 'data', 'appendonlydir');
    await here.databases.close({ stop: true });
    await rename(log, `${log}.elsewhere`);
    await here.restart();
    await expect(connect(here, database)).rejects.toThrow('ECONNREFUSED');
    await rename(`${log}.elsewhere`, log);
    // It lets in whom it does not answer yet.
    const read = async () => (await connect(here, database)).get('key');
    const value = await until(() => read().catch(() => null), {
      ...{ timeout: 60_000, what: 'the database to start' },
    });
    expect(value).toBe('value');
  });

  it('is not promoted without the data that it had as a follower', async () => {
    const { here, there, twin } = await followed(newest, (app) => app.set('key', 'value'));
    await streaming(there, twin);
    await until(async () => isCopied(await recordOf(there, twin)), {
      ...{ timeout: 60_000, what: 'the copy to be noted' },
    });
    await here.databases.close({ stop: true });
    await there.databases.close({ stop: true });
    await rm(join(there.dir, twin, 'data'), { recursive: true });
    await there.restart();
    await expect(there.databases.promote({ database: twin })).rejects.toThrow('whole copy');
  });

  it('lets nobody do what only its agent may, and followers follow and nothing else', async () => {
    const { here, there, old, twin, follower, endpoint, app } = await followed(newest, nothing);
    await streaming(there, twin);
    for (const command of [
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
      ['REPLICAOF', 'NO', 'ONE'],
      ['SHUTDOWN', 'NOSAVE'],
      ['CLIENT', 'PAUSE', '1000'],
    ]) {
      await expect(app.sendCommand(command)).rejects.toThrow('NOPERM');
    }
    const reader = await connect(there, twin);
    await expect(reader.set('key', 'value')).rejects.toThrow('READONLY');

    const granted = endpointSchema.parse(endpoint);
    const { host, port, user: username, password } = granted;
    const outside = (shows: { cert?: string; key?: string }) => {
      const client = createClient({
        ...{ username, password, RESP: 2, disableClientInfo: true, disableOfflineQueue: true },
        socket: {
          ...{ host, port, tls: true, ca: granted.primaryCertificate, ...shows },
          checkServerIdentity: () => undefined,
          reconnectStrategy: false,
        },
      });
      client.on('error', () => undefined); // sessions are ended on purpose here
      afterwards(async () => client.isOpen && client.destroy());
      return client;
    };
    const own = { cert: granted.certificate, key: granted.privateKey };
    const allowed = outside(own);
    await allowed.connect();
    await expect(allowed.get('key')).rejects.toThrow('NOPERM');
    await expect(allowed.sendCommand(['CONFIG', 'GET', '*'])).rejects.toThrow('NOPERM');
    await expect(outside({}).connect()).rejects.toThrow();
    const { certificate: cert, privateKey: key } = await createCertificate('somebody');
    await expect(outside({ cert, key }).connect()).rejects.toThrow();

    await here.databases.revokeFollow({ database: old, follower });
    await expect(allowed.ping()).rejects.toThrow();
    await expect(outside(own).connect()).rejects.toThrow('ECONNREFUSED');
    await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await expect(streaming(there, twin)).rejects.toThrow('does not let it in any more');
    for (const secret of [password, granted.login.password]) {
      const log = await readFile(join(here.dir, old, 'redis.log'), 'utf8');
      expect(log).not.toContain(secret);
    }
  });

  it('is copied by whom it was promised to, from where that one is, and no faster than its region wants', async () => {
    const limit = new LimitedCopy();
    const [here, there] = [await create({ copyRate: limit.now }), await create()];
    const old = await here.provision(newest);
    const app = await connect(here, old);
    await app.set('large', randomBytes(8 * 1024 * 1024));
    const twin = await there.provision(newest, 'empty');
    const endpoint = await admittedFromHere(here, old, there, twin);
    await limit.follow(there, twin, endpoint);
    await app.set('last', 'written');
    await streaming(there, twin);
  });

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(8);
    afterwards(() => disk.remove());
    const [here, there] = [await create(), await create({}, disk)];
    const [old, twin] = [await here.provision(newest), await there.provision(newest, 'empty')];
    const app = await connect(here, old);
    await app.set('large', randomBytes(16 * 1024 * 1024));
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await copiedOnceThereIsRoom(there, twin, endpoint, disk);
    await streaming(there, twin);
    await disk.fill();
    await app.set('last', 'written');
    await there.databases.standDown({ database: twin });
    await there.databases.deprovision(twin);
    await disk.empty();
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('refuses what would lose data, and is removed while it is copied', async () => {
    const { here, there, old, twin, endpoint } = await followed(newest, (app) =>
      app.set('large', 'x'.repeat(30_000_000)),
    );
    const other = await there.provision(newest, 'empty');
    await Promise.all([there.databases.deprovision(twin), there.databases.deprovision(twin)]);
    expect(await readdir(there.dir)).toEqual([other]);
    await expect(here.databases.follow({ database: old, endpoint })).rejects.toThrow('stand down');
    await expect(here.databases.followBack({ database: old, endpoint })).rejects.toThrow('fenced');
    await expect(there.databases.fence({ database: other })).rejects.toThrow('empty');
    await expect(
      there.databases.follow({ database: other, endpoint: { ...endpoint, version: '6.2' } }),
    ).rejects.toThrow('cannot follow');
    expect(await (await connect(here, old)).exists('large')).toBe(1);
    expect((await here.databases.inspect({ database: old })).size).toBeGreaterThan(30_000_000);
  });
});
