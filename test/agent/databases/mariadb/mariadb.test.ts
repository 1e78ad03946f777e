import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { pino } from 'pino';
import { Agent, request } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { authorization } from '../../../src/agent/databases/mariadb/copy-door.js';
import { inspectServer } from '../../../src/agent/databases/mariadb/inspect.js';
import { mariadb } from '../../../src/agent/databases/mariadb/mariadb.js';
import { findMariadb } from '../../../src/agent/databases/mariadb/programs.js';
import {
  type Endpoint,
  endpoint as endpointSchema,
  record,
  recordFile,
} from '../../../src/agent/databases/mariadb/record.js';
import { boundHistory, primaryEnd } from '../../../src/agent/databases/mariadb/replication.js';
import { MariadbServer } from '../../../src/agent/databases/mariadb/server.js';
import { type Session, withSession } from '../../../src/agent/databases/mariadb/session.js';
import { newId } from '../../../src/shared/ids.js';
import type { Rate } from '../../../src/shared/pace.js';
import {
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
  workingIn,
} from '../../../src/shared/processes.js';
import { createCertificate } from '../../../src/shared/self-signed.js';
import { until } from '../../../src/shared/until.js';
import { changeEverything, everything, makeEverything } from './mariadb/everything.js';
import { mayMount, SmallDisk } from './small-disk.js';
import {
  admittedFromHere,
  copiedOnceThereIsRoom,
  LimitedCopy,
  writePause,
} from './test-databases.js';

const found = await findMariadb();
if (!found)
  throw new Error('Install mariadb-server and mariadb-backup: node scripts/setup.mjs --tests');
const programs = found;
const version = programs.series;
const logger = pino({ level: process.env['LOG'] ?? 'silent' });
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** The databases of one region, in a folder of their own. */
class TestRegion {
  databases: Databases;

  private constructor(
    readonly dir: string,
    readonly copyRate: Rate,
  ) {
    this.databases = this.#open();
  }

  /** @param mode of the region's folder, which others can walk through or not */
  static async create(
    mode = 0o700,
    { copyRate = () => null, disk }: { copyRate?: Rate; disk?: SmallDisk } = {},
  ): Promise<TestRegion> {
    const dir = disk?.folder ?? (await mkdtemp(join(tmpdir(), 'godwit-test-')));
    await chmod(dir, mode);
    if (!disk) cleanUp.push(() => rm(dir, { recursive: true, force: true }));
    const region = new TestRegion(dir, copyRate);
    await region.databases.recover();
    cleanUp.push(() => region.databases.close({ stop: true }));
    return region;
  }

  /** As after a crash of the agent: nothing is stopped, nothing is told. */
  async restart(): Promise<void> {
    await this.databases.close({ stop: false });
    this.databases = this.#open();
    await this.databases.recover();
  }

  async provision(role: 'primary' | 'empty' = 'primary'): Promise<string> {
    const id = newId();
    await this.databases.provision('mariadb', { id, plan: 'mariadb-sandbox', version, role });
    return id;
  }

  async connect(database: string): Promise<mysql.Connection> {
    const client = await mysql.createConnection({
      uri: this.databases.variables(database)['SCALINGO_MYSQL_URL'] ?? '',
      multipleStatements: true,
    });
    client.on('error', () => undefined); // sessions are ended on purpose here
    cleanUp.push(async () => client.destroy());
    await client.query('SELECT 1');
    return client;
  }

  /** As {@link connect}, when the database comes back. */
  reconnect(database: string): Promise<mysql.Connection> {
    return until(() => this.connect(database).catch(() => null), {
      timeout: 60_000,
      what: 'the database to come back',
    });
  }

  /** A session of a superuser, who the app has none of. */
  async administer(database: string): Promise<mysql.Connection> {
    const client = await mysql.createConnection({
      ...(await this.#superuser(database)),
      database: 'mysql',
    });
    client.on('error', () => undefined); // servers are killed on purpose here
    cleanUp.push(async () => client.destroy());
    return client;
  }

  async asSuperuser<T>(database: string, use: (session: Session) => Promise<T>): Promise<T> {
    const { socketPath, ...login } = await this.#superuser(database);
    return withSession({ socketPath }, login, use);
  }

  async #superuser(database: string) {
    const folder = join(this.dir, database);
    const { password } = record.parse(JSON.parse(await readFile(recordFile(folder), 'utf8')));
    return { user: 'godwit', password, socketPath: join(folder, 'data', 'mariadb.sock') };
  }

  async kill(database: string): Promise<void> {
    const server = await this.server(database);
    signalProcess(server, 'SIGKILL');
    await waitForExit(server, 10_000);
  }

  async server(database: string): Promise<ProcessIdentity> {
    const file = join(this.dir, database, 'process.json');
    return processIdentity.parse(JSON.parse(await readFile(file, 'utf8')));
  }

  #open(): Databases {
    const product = mariadb({
      ...{ programs, logger, address: '127.0.0.1' },
      copyRate: this.copyRate,
    });
    // Tended so often that this comes at every moment of whatever is done to them.
    return new Databases({ dir: this.dir, products: [product], rounds: 10, logger });
  }
}

/** A server that nobody can follow. */
class BareServer extends MariadbServer {
  async launch(): Promise<void> {
    const settings = `--defaults-file=${await this.path()}/godwit.cnf`;
    await this.launchProcess(programs.server, [settings, '--skip-log-bin', '--skip-ssl']);
  }
}

async function streaming(region: TestRegion, database: string): Promise<void> {
  await until(
    async () => {
      const { stage, reason } = await region.databases.following({ database });
      if (stage === 'failed') throw new Error(reason ?? stage);
      return stage === 'streaming';
    },
    { timeout: 30_000, what: 'the follower to keep up' },
  );
}

/** Inserts one row after the other, until the database takes no more. */
class Writer {
  readonly acknowledged: number[] = [];
  readonly ended: Promise<void>;

  constructor(client: mysql.Connection, first = 1) {
    this.ended = this.#write(client, first).catch(() => undefined); // its session was ended
  }

  async #write(client: mysql.Connection, first: number): Promise<void> {
    for (let id = first; ; id += 1) {
      await client.query('INSERT INTO written VALUES (?)', [id]);
      this.acknowledged.push(id);
      await sleep(writePause);
    }
  }

  /** Returns when it has written so many. */
  async past(count: number): Promise<void> {
    await until(() => this.acknowledged.length >= count, { timeout: 60_000, what: 'the writes' });
  }
}

/** Clients that come again and again, as those of a pool do whose sessions are ended. */
class Knocking {
  readonly #url: string;
  readonly #clients: Promise<void>[];
  #isOver = false;
  readonly begun: Promise<unknown>;

  constructor(url: string) {
    this.#url = url;
    const first = Array.from({ length: 16 }, () => this.#knock());
    this.begun = Promise.all(first);
    this.#clients = first.map(async (knocked) => {
      await knocked;
      while (!this.#isOver) await this.#knock();
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #knock(): Promise<void> {
    const client = await mysql.createConnection(this.#url).catch(() => null); // it is shown the door
    client?.on('error', () => undefined);
    await client?.query('SELECT 1').catch(() => undefined);
    client?.destroy();
  }
}

async function written(client: mysql.Connection): Promise<unknown[]> {
  const [rows] = await client.query<mysql.RowDataPacket[]>('SELECT id FROM written ORDER BY id');
  return rows.map(({ id }) => id);
}

describe('a MariaDB database', () => {
  it('moves with everything in it, there and back, and loses nothing', async () => {
    // One folder that its account can walk to, and one that it cannot.
    const [here, there] = [await TestRegion.create(), await TestRegion.create(0o711)];
    const follower = randomUUID();
    const old = await here.provision();
    const twin = await there.provision('empty');
    expect(there.databases.variables(twin)).toEqual({});
    const database = `app_${old.slice(0, 8)}`;
    const app = await here.connect(old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const source = await here.administer(old);
    await makeEverything(source, database);

    const {
      obstacles,
      unsuitable,
      remarks,
      version: found,
    } = await here.databases.inspect({
      database: old,
    });
    expect({ obstacles, unsuitable }).toEqual({ obstacles: [], unsuitable: [] });
    expect(found).toContain(version);
    expect(remarks.join()).toContain(`${database}.crash_safe, ${database}.old`);
    expect(remarks.join()).toContain(`primary key (${database}.loose)`);

    const endpoint = await here.databases.grantFollow({ database: old, follower });
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    const writer = new Writer(app);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.follow({ database: twin, endpoint });
    await changeEverything(source, database);
    await writer.past(100);

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    await writer.ended;
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(here.connect(old)).rejects.toThrow('init_connect');
    await here.restart();
    await here.kill(old);
    await expect(here.connect(old)).rejects.toThrow();
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(here.connect(old)).rejects.toThrow('init_connect');
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    const before = await everything(await here.administer(old));
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });

    const moved = await there.connect(twin);
    expect(await written(moved)).toEqual(expect.arrayContaining(writer.acknowledged));
    const target = await there.administer(twin);
    expect(await everything(target)).toEqual(before);
    await until(() => isScheduled(target), { timeout: 60_000, what: 'the scheduler' });

    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await streaming(here, old);
    await target.query(`DROP EVENT ${database}.yearly`);
    await target.query(`CREATE EVENT ${database}.newest ON SCHEDULE EVERY 1 YEAR DO SELECT 1`);
    const more = new Writer(moved, writer.acknowledged.length + 10);
    await more.past(50);
    const end = await there.databases.fence({ database: twin });
    await more.ended;
    await here.databases.waitFor({ database: old, position: end, timeout: 60_000 });
    const after = await everything(await there.administer(twin));
    await here.databases.promote({ database: old });
    expect(await written(await here.connect(old))).toEqual(
      expect.arrayContaining([...writer.acknowledged, ...more.acknowledged]),
    );
    expect(await everything(await here.administer(old))).toEqual(after);
  });

  it('survives that any of its processes is killed while it is copied, follows and is switched', async () => {
    const [here, there] = [await TestRegion.create(0o711), await TestRegion.create()];
    const old = await here.provision();
    const twin = await there.provision('empty');
    const app = await here.connect(old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    await app.query(`CREATE TABLE weight AS SELECT repeat('x', 1000) AS x FROM seq_1_to_20000`);
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await copies(there, twin);
    await there.restart();
    await copies(there, twin);
    for (const one of workingIn(join(there.dir, twin, 'data'))) signalProcess(one, 'SIGKILL');
    await streaming(there, twin);

    const writer = new Writer(app);
    await writer.past(20);
    await there.kill(twin);
    await writer.past(40);
    await here.kill(old);
    await writer.ended;
    const again = await here.reconnect(old);
    const more = new Writer(again, 1_000);
    await more.past(20);
    await here.kill(old);
    const fencing = here.databases.fence({ database: old });
    await more.ended;
    const position = await fencing;
    await there.kill(twin);
    await there.databases.waitFor({ database: twin, position, timeout: 60_000 });
    await there.kill(twin);
    await there.databases.promote({ database: twin });
    await there.kill(twin);
    const moved = await there.reconnect(twin);
    expect(await written(moved)).toEqual(
      expect.arrayContaining([...writer.acknowledged, ...more.acknowledged]),
    );
    await moved.query('INSERT INTO written VALUES (5000)');
    const back = await there.databases.grantFollow({ database: twin, follower: randomUUID() });
    await here.kill(old);
    await here.databases.followBack({ database: old, endpoint: back });
    await here.kill(old);
    await streaming(here, old);
    expect(await written(await here.connect(old))).toEqual(await written(moved));
  });

  it('leaves nothing of a revoked grant, and takes writes again when unfenced', async () => {
    const [here, there] = [await TestRegion.create(), await TestRegion.create()];
    const follower = randomUUID();
    const old = await here.provision();
    const twin = await there.provision('empty');
    const app = await here.connect(old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    await app.query('CREATE EVENT often ON SCHEDULE EVERY 1 YEAR DO SELECT 1');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    const given = endpointSchema.parse(endpoint);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);

    // Who follows may read the history, over TLS and from whom it was promised, and nothing else.
    const other = await createCertificate('other');
    await expect(primaryEnd({ ...given, certificate: other.certificate })).rejects.toThrow(
      'certificate',
    );
    await expect(primaryEnd({ ...given, password: 'another' })).rejects.toThrow('Access denied');
    const { host, port, user, password } = given;
    await expect(mysql.createConnection({ host, port, user, password })).rejects.toThrow(
      'Access denied',
    );
    expect(await fetchCopy(given, 'another')).toBe(401);

    // What went wrong is logged, and the statement may be one that sets a password.
    const refused = await here
      .asSuperuser(old, (session) => session.run('CREATE USER ? IDENTIFIED VIA ?', ['x', 'secret']))
      .catch((error) => error);
    expect(Object.values(refused).join()).not.toContain('IDENTIFIED');
    const log = await readFile(join(here.dir, old, 'mariadb.log'), 'utf8');
    expect(log).not.toMatch(/Aborted connection \d+ to db: '\w+' user: 'godwit'/);

    const knocking = new Knocking(here.databases.variables(old)['DATABASE_URL'] ?? '');
    await knocking.begun;
    await here.databases.fence({ database: old });
    await knocking.stop();
    await there.databases.standDown({ database: twin });
    await there.databases.standDown({ database: twin });
    await here.databases.unfence({ database: old });
    const again = await here.connect(old);
    await again.query('INSERT INTO written VALUES (1)');
    const source = await here.administer(old);
    expect(await isScheduled(source)).toBe(true);

    // One that hangs is not waited for by whoever takes a fence back.
    signalProcess(await here.server(old), 'SIGSTOP');
    const hanging = here.databases.fence({ database: old });
    await Promise.all([
      expect(hanging).rejects.toThrow('taken back'),
      here.databases.unfence({ database: old }),
    ]);
    await (await here.connect(old)).query('INSERT INTO written VALUES (2)');

    await here.databases.revokeFollow({ database: old, follower });
    await here.databases.revokeFollow({ database: old, follower });
    const [left] = await (await here.administer(old)).query(
      `SELECT User FROM mysql.global_priv WHERE User LIKE 'godwit\\_follow%'`,
    );
    expect(left).toEqual([]);
    await expect(fetchCopy(given, given.password)).rejects.toThrow('ECONNREFUSED');
    await there.databases.deprovision(twin);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('is copied anew when its primary has forgotten what it lacks, and only when that is asked for', async () => {
    const [here, there] = [await TestRegion.create(), await TestRegion.create()];
    const old = await here.provision();
    const twin = await there.provision('empty');
    const app = await here.connect(old);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.close({ stop: true });
    await app.query('INSERT INTO written VALUES (1)');
    const source = await here.administer(old);
    await source.query('FLUSH BINARY LOGS');
    await app.query('INSERT INTO written VALUES (2)');
    await here.asSuperuser(old, (session) => boundHistory(session, 0));
    await there.restart();
    const { reason } = await until(
      async () => {
        const now = await there.databases.following({ database: twin }).catch(() => null);
        return now?.stage === 'failed' && now;
      },
      { timeout: 60_000, what: 'the follower to give up' },
    );
    expect(reason).toContain('1236');
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    expect(await written(await there.connect(twin))).toEqual([1, 2]);
  });

  it('tells what stands in the way of a move, and what to do about it', async () => {
    const here = await TestRegion.create();
    const database = await here.provision();
    const source = await here.administer(database);
    const name = `app_${database.slice(0, 8)}`;
    await source.query(`USE ${name}`);
    await source.query('CREATE TABLE forgotten (id int PRIMARY KEY) ENGINE = MEMORY');
    await source.query(
      `CREATE TABLE far (id int PRIMARY KEY) DATA DIRECTORY = '${join(tmpdir(), newId())}'`,
    );
    await source.query(`CREATE USER boss@'%' IDENTIFIED BY 'boss'`);
    await source.query(`GRANT READ_ONLY ADMIN ON *.* TO boss@'%'`);
    await source.query('CREATE ROLE chief');
    const folder = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    cleanUp.push(() => rm(folder, { recursive: true, force: true }));
    await chmod(folder, 0o777);
    await source.query('GRANT SELECT, SUPER ON *.* TO chief');
    await source.query(
      `CREATE TABLE linked (id int PRIMARY KEY) ENGINE = MyISAM DATA DIRECTORY = '${folder}'`,
    );
    await source.query(
      `CREATE TABLE numbered (id int PRIMARY KEY, a bigint unsigned AS ROW START, b bigint unsigned AS ROW END, PERIOD FOR SYSTEM_TIME (a, b)) WITH SYSTEM VERSIONING`,
    );
    await source.query('CREATE TABLE t (id int PRIMARY KEY)');
    await source.query(`XA START 'pending'`);
    await source.query('INSERT INTO t VALUES (1)');
    await source.query(`XA END 'pending'`);
    await source.query(`XA PREPARE 'pending'`);
    await source.query(`SET GLOBAL binlog_format = 'STATEMENT'`);
    const { obstacles, unsuitable, remarks } = await here.databases.inspect({ database });
    const all = [...obstacles, ...unsuitable];
    for (const what of [
      ...[`${name}.forgotten`, `${name}.far, ${name}.linked`, `('boss'@'%', chief)`],
      ...['pending', 'STATEMENT'],
    ]) {
      expect(all.filter((line) => line.includes(what))).toHaveLength(1);
    }
    expect(all).toHaveLength(5);
    expect(remarks.join()).toContain(`numbers of transactions (${name}.numbered)`);
    await source.query(`XA ROLLBACK 'pending'`);
    await source.query('DROP TABLE far, linked');

    // Not as an agent would run it.
    await here.databases.close({ stop: true });
    const bare = new BareServer(join(here.dir, database), () => programs, '127.0.0.1');
    cleanUp.push(() => bare.wipe());
    await bare.launch();
    const inspect = (session: Session) => inspectServer(session, bare.data);
    const found = await until(() => here.asSuperuser(database, inspect).catch(() => null), {
      timeout: 60_000,
      what: 'the server to answer',
    });
    for (const what of ['log_bin', 'TLS']) expect(found.unsuitable.join()).toContain(what);
  });

  it('comes back on another port when its own was taken, and is found there without a new copy', async () => {
    const [here, there] = [await TestRegion.create(), await TestRegion.create()];
    const follower = randomUUID();
    const old = await here.provision();
    const twin = await there.provision('empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    const copy = await stat(join(there.dir, twin, 'data'));
    const { port } = new URL(here.databases.variables(old)['DATABASE_URL'] ?? '');
    await here.databases.close({ stop: true });
    const thief = createServer().listen(Number(port), '127.0.0.1');
    await once(thief, 'listening');
    cleanUp.push(async () => thief.close());
    await here.restart();
    const app = await here.connect(old);
    expect(new URL(here.databases.variables(old)['DATABASE_URL'] ?? '').port).not.toBe(port);
    await app.query('CREATE TABLE written (id int PRIMARY KEY)');
    const moved = await here.databases.grantFollow({ database: old, follower });
    await there.databases.follow({ database: twin, endpoint: moved });
    await streaming(there, twin);
    expect(await written(await there.connect(twin))).toEqual([]);
    expect((await stat(join(there.dir, twin, 'data'))).ino).toBe(copy.ino);
  });

  it('is copied by whom it was promised to, from where that one is, and no faster than its region wants', async () => {
    const limit = new LimitedCopy();
    const here = await TestRegion.create(0o700, { copyRate: limit.now });
    const there = await TestRegion.create();
    const [old, twin] = [await here.provision(), await there.provision('empty')];
    const endpoint = await admittedFromHere(here, old, there, twin);
    await limit.follow(there, twin, endpoint);
    await streaming(there, twin);
  });

  it.runIf(mayMount)('finds no room for its copy, and leaves nothing of it', async () => {
    const disk = await SmallDisk.create(16);
    cleanUp.push(() => disk.remove());
    const [here, there] = [await TestRegion.create(), await TestRegion.create(0o700, { disk })];
    const [old, twin] = [await here.provision(), await there.provision('empty')];
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await copiedOnceThereIsRoom(there, twin, endpoint, disk);
    await streaming(there, twin);
    await disk.fill();
    await (await here.connect(old)).query('CREATE TABLE entries (id int)');
    await there.databases.standDown({ database: twin });
    await there.databases.deprovision(twin);
    await disk.empty();
    expect(await readdir(there.dir)).toEqual([]);
  });

  it('is removed while it is being copied, however often that is asked', async () => {
    const [here, there] = [await TestRegion.create(), await TestRegion.create()];
    const old = await here.provision();
    const twin = await there.provision('empty');
    const endpoint = await here.databases.grantFollow({ database: old, follower: randomUUID() });
    await there.databases.follow({ database: twin, endpoint });
    await copies(there, twin);
    await Promise.all([there.databases.deprovision(twin), there.databases.deprovision(twin)]);
    await there.databases.deprovision(twin);
    expect(await readdir(there.dir)).toEqual([]);
  });
});

/** Waits until a copy is under way. */
async function copies(region: TestRegion, database: string): Promise<void> {
  await until(
    async () => {
      const { stage, copied } = await region.databases.following({ database });
      return stage !== 'copying' || copied > 0;
    },
    { timeout: 60_000, every: 1, what: 'the copy to begin' },
  );
}

/** Whether the scheduler knows of events that it is to run. */
async function isScheduled(client: mysql.Connection): Promise<boolean> {
  const [rows] = await client.query<mysql.RowDataPacket[]>('SHOW PROCESSLIST');
  return rows.some(({ State }) => State === 'Waiting for next activation');
}

/** Comes to the door for copies. @returns the status */
async function fetchCopy(
  { host, copyPort, user, certificate }: Endpoint,
  password: string,
): Promise<number> {
  const { statusCode, body } = await request(`https://${host}:${copyPort}/`, {
    headers: { authorization: authorization(user, password) },
    dispatcher: new Agent({ connect: { ca: certificate, checkServerIdentity: () => undefined } }),
  });
  await body.dump();
  return statusCode;
}
