import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Databases } from '../../../src/agent/databases/databases.js';
import { postgresql } from '../../../src/agent/databases/postgresql/postgresql.js';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { Cluster } from '../../../src/postgresql/cluster.js';
import { identify, type ProcessIdentity } from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import type { SmallDisk } from './small-disk.js';
import { afterwards, kill, logger, TestDatabases } from './test-databases.js';

export const majors = await findBinaries();

/** The PostgreSQL databases of one region. */
export class PostgresqlRegion {
  private constructor(readonly region: TestDatabases) {}

  /** @param disk of its own, if given */
  static async create(disk?: SmallDisk): Promise<PostgresqlRegion> {
    const product = postgresql({ majors, address: '127.0.0.1', logger });
    return new PostgresqlRegion(await TestDatabases.create(product, disk));
  }

  get databases(): Databases {
    return this.region.databases;
  }

  restart(): Promise<void> {
    return this.region.restart();
  }

  provision(version: string, role: 'primary' | 'empty' = 'primary'): Promise<string> {
    return this.region.provision(version, role);
  }

  async connect(database: string): Promise<pg.Client> {
    const client = new pg.Client(this.#url(database).href);
    client.on('error', () => undefined); // sessions are ended on purpose here
    await client.connect();
    afterwards(() => client.end());
    return client;
  }

  /** Lends a superuser's session in the app's database, or another of that name. */
  async asSuperuser<T>(
    database: string,
    use: (client: pg.Client) => Promise<T>,
    name?: string,
  ): Promise<T> {
    const { port, pathname } = this.#url(database);
    const [binaries] = majors;
    if (!binaries) throw new Error('There is no PostgreSQL.');
    const cluster = new Cluster(join(this.region.dir, database), () => binaries);
    return cluster.session(Number(port), use, { database: name ?? pathname.slice(1) });
  }

  /** Kills the server, as soon as it runs. */
  async kill(database: string): Promise<void> {
    await kill(
      await until(() => this.#postmaster(database), {
        timeout: 60_000,
        every: 5,
        what: 'PostgreSQL to run',
      }),
    );
  }

  async #postmaster(database: string): Promise<ProcessIdentity | null> {
    const pidFile = join(this.region.dir, database, 'data', 'postmaster.pid');
    const text = await readFile(pidFile, 'utf8').catch(() => ''); // not written yet, or again
    return identify(Number.parseInt(text, 10));
  }

  #url(database: string): URL {
    return new URL(this.databases.variables(database)['DATABASE_URL'] ?? '');
  }
}
