import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { afterEach } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { Postgresql } from '../../../src/agent/databases/postgresql/postgresql.js';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { Cluster } from '../../../src/postgresql/cluster.js';
import { newId } from '../../../src/shared/ids.js';
import {
  identify,
  type ProcessIdentity,
  signalProcess,
  waitForExit,
} from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';

export const majors = await findBinaries();
const logger = pino({ level: 'silent' });
/** What is to be done after each test, last first. */
export const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** The databases of one region, in a folder of their own. */
export class TestRegion {
  databases: Databases;

  private constructor(readonly dir: string) {
    this.databases = this.#open();
  }

  static async create(): Promise<TestRegion> {
    const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
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

  async provision(version: string, role: 'primary' | 'empty' = 'primary'): Promise<string> {
    const id = newId();
    await this.databases.provision('postgresql', { id, plan: 'postgresql-sandbox', version, role });
    return id;
  }

  async connect(database: string): Promise<pg.Client> {
    const client = new pg.Client(this.databases.variables(database)['DATABASE_URL']);
    client.on('error', () => undefined); // sessions are ended on purpose here
    await client.connect();
    cleanUp.push(() => client.end());
    return client;
  }

  /** Lends a superuser's session in the app's database, or another of that name. */
  async asSuperuser<T>(
    database: string,
    use: (client: pg.Client) => Promise<T>,
    name?: string,
  ): Promise<T> {
    const { port, pathname } = new URL(this.databases.variables(database)['DATABASE_URL'] ?? '');
    const [binaries] = majors;
    if (!binaries) throw new Error('There is no PostgreSQL.');
    const cluster = new Cluster(join(this.dir, database), binaries);
    return cluster.session(Number(port), use, { database: name ?? pathname.slice(1) });
  }

  /** Kills the server, as soon as it runs. */
  async kill(database: string): Promise<void> {
    const postmaster = await until(() => this.postmaster(database).catch(() => null), {
      timeout: 20_000,
      every: 5,
      what: 'PostgreSQL to run',
    });
    signalProcess(postmaster, 'SIGKILL');
    await waitForExit(postmaster, 10_000);
  }

  async postmaster(database: string): Promise<ProcessIdentity> {
    const pidFile = join(this.dir, database, 'data', 'postmaster.pid');
    const identity = identify(Number.parseInt(await readFile(pidFile, 'utf8'), 10));
    if (!identity) throw new Error('PostgreSQL does not run');
    return identity;
  }

  #open(): Databases {
    const product = new Postgresql({ majors, address: '127.0.0.1', logger });
    // Tended so often that this comes at every moment of whatever is done to them.
    return new Databases({ dir: this.dir, products: [product], rounds: 10, logger });
  }
}

/** Returns when a follower keeps up with its primary. */
export async function streaming(region: TestRegion, database: string): Promise<void> {
  await until(
    async () => {
      const { stage, reason } = await region.databases.following({ database });
      if (stage === 'failed') throw new Error(reason ?? stage);
      return stage === 'streaming';
    },
    { timeout: 30_000, what: 'the follower to keep up' },
  );
}
