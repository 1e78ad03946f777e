import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { Mariadb } from '../../../src/agent/databases/mariadb/mariadb.js';
import { findPrograms } from '../../../src/agent/databases/mariadb/programs.js';
import { newId } from '../../../src/shared/ids.js';
import {
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
} from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';

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

describe('a MariaDB database', () => {
  it('moves with everything, loses nothing, and follows back', async () => {
    const [here, there] = [await TestRegion.create(), await TestRegion.create(0o711)];
    const follower = randomUUID();
    const old = await here.provision();
    const twin = await there.provision('empty');
    expect(there.databases.variables(twin)).toEqual({});
    const app = await here.connect(old);
    await app.query('CREATE TABLE entries (id int PRIMARY KEY AUTO_INCREMENT, text text)');
    await app.query(`INSERT INTO entries (text) SELECT repeat('x', 100) FROM seq_1_to_20000`);
    console.log(await here.databases.inspect({ database: old }));

    const endpoint = await here.databases.grantFollow({ database: old, follower });
    expect(await here.databases.grantFollow({ database: old, follower })).toEqual(endpoint);
    await there.databases.follow({ database: twin, endpoint });
    await streaming(there, twin);
    await there.databases.follow({ database: twin, endpoint });
    await app.query(`INSERT INTO entries (text) VALUES ('while following')`);
    console.log(await there.databases.following({ database: twin }));

    await here.databases.flush({ database: old });
    const position = await here.databases.fence({ database: old });
    expect(await here.databases.fence({ database: old })).toBe(position);
    await expect(here.connect(old)).rejects.toThrow();
    await here.restart();
    await expect(here.connect(old)).rejects.toThrow();
    await there.databases.waitFor({ database: twin, position, timeout: 10_000 });
    await there.databases.promote({ database: twin });
    await there.databases.promote({ database: twin });

    const moved = await there.connect(twin);
    await moved.query(`INSERT INTO entries (text) VALUES ('after the switch')`);
    const back = await there.databases.grantFollow({ database: twin, follower });
    await here.databases.followBack({ database: old, endpoint: back });
    await here.databases.followBack({ database: old, endpoint: back });
    await streaming(here, old);
    const now = await there.databases.position({ database: twin });
    await here.databases.waitFor({ database: old, position: now, timeout: 10_000 });
    const [rows] = await (await here.connect(old)).query('SELECT count(*) AS count FROM entries');
    expect(rows).toEqual([{ count: 20_002 }]);
  });
});
