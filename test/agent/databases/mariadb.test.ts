import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { Mariadb } from '../../../src/agent/databases/mariadb/mariadb.js';
import { findPrograms } from '../../../src/agent/databases/mariadb/programs.js';
import { record, recordFile } from '../../../src/agent/databases/mariadb/record.js';
import { newId } from '../../../src/shared/ids.js';
import {
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
} from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import { changeEverything, everything, makeEverything } from './mariadb/everything.js';

const programs = await findPrograms();
const version = programs?.series ?? '';
const logger = pino({ level: process.env['LOG'] ?? 'silent' });
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** The databases of one region, in a folder of their own. */
class TestRegion {
  databases: Databases;

  private constructor(readonly dir: string) {
    this.databases = this.#open();
  }

  /** @param mode of the region's folder, which others can walk through or not */
  static async create(mode = 0o700): Promise<TestRegion> {
    const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    await chmod(dir, mode);
    cleanUp.push(() => rm(dir, { recursive: true, force: true }));
    const region = new TestRegion(dir);
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

  /** A session of a superuser, who the app has none of. */
  async administer(database: string): Promise<mysql.Connection> {
    const folder = join(this.dir, database);
    const { password } = record.parse(JSON.parse(await readFile(recordFile(folder), 'utf8')));
    const client = await mysql.createConnection({
      ...{ user: 'godwit', password, database: 'mysql' },
      socketPath: join(folder, 'data', 'mariadb.sock'),
    });
    client.on('error', () => undefined); // servers are killed on purpose here
    cleanUp.push(async () => client.destroy());
    return client;
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
    const product = new Mariadb({ programs, address: '127.0.0.1', logger });
    // Tended so often that this comes at every moment of whatever is done to them.
    return new Databases({ dir: this.dir, products: [product], rounds: 10, logger });
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
    }
  }

  /** Returns when it has written so many. */
  async past(count: number): Promise<void> {
    await until(() => this.acknowledged.length >= count, { timeout: 20_000, what: 'the writes' });
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
    await there.databases.waitFor({ database: twin, position, timeout: 10_000 });
    const before = await everything(await here.administer(old));
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });

    const moved = await there.connect(twin);
    expect(await written(moved)).toEqual(expect.arrayContaining(writer.acknowledged));
    const target = await there.administer(twin);
    expect(await everything(target)).toEqual(before);
    await until(async () => (await scheduled(target)) === 2, {
      timeout: 10_000,
      what: 'the scheduler to know the events that are on',
    });

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
    await here.databases.waitFor({ database: old, position: end, timeout: 10_000 });
    const after = await everything(await there.administer(twin));
    await here.databases.promote({ database: old });
    expect(await written(await here.connect(old))).toEqual(
      expect.arrayContaining([...writer.acknowledged, ...more.acknowledged]),
    );
    expect(await everything(await here.administer(old))).toEqual(after);
  }, 60_000);
});

/** How many events the scheduler would run. */
async function scheduled(client: mysql.Connection): Promise<number> {
  const [rows] = await client.query<mysql.RowDataPacket[]>('SHOW PROCESSLIST');
  return rows.some(({ State }) => State === 'Waiting for next activation') ? 2 : 0;
}
