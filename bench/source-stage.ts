import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, chmod, chown, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { z } from 'zod';
import { ApiClient } from '../src/client/api-client.js';
import { followMigration } from '../src/client/follow.js';
import { databaseUrl, deployBirdLog } from '../src/dev/demo/bird-log.js';
import { startDevProcess } from '../src/dev/dev-process.js';
import type { PhaseName } from '../src/migration/migration.js';
import { findBinaries } from '../src/postgresql/binaries.js';
import { Cluster, superuser } from '../src/postgresql/cluster.js';
import { serviceAccount } from '../src/shared/account.js';
import { readJsonFile } from '../src/shared/json-file.js';
import { processIdentity } from '../src/shared/processes.js';
import { until } from '../src/shared/until.js';

/** A copy that is under way. */
export interface Copy {
  /** Settles when nothing is copied any more. */
  readonly over: Promise<unknown>;
  /** Gives up what is left of it. @returns how many bytes were copied */
  end(): Promise<number>;
}

const run = promisify(execFile);
const app = 'measured';
const devState = z.looseObject({ processes: z.record(z.string(), processIdentity) });
const [ofSource, ofOthers] = [0, 1];

/** Has a process, and all that it starts from now on, run on one processor. */
async function keepOn(processor: number, pid: number): Promise<void> {
  await run('taskset', ['--all-tasks', '--cpu-list', '--pid', `${processor}`, `${pid}`]);
}

/**
 * Two regions and an app, with a processor for the source alone. This process and everything else have another
 * one, and the destination keeps what it has in memory, as copies do: they stand for another host.
 */
export class SourceStage {
  private constructor(
    readonly edge: string,
    /** Of the app. */
    readonly hostname: string,
    private readonly client: ApiClient,
    private readonly destination: string,
    private readonly database: { readonly cluster: Cluster; readonly port: string },
    private readonly memory: string,
    /** Ends all of it. */
    readonly remove: () => Promise<void>,
  ) {}

  /** @param gigabytes of the app's database */
  static async create(gigabytes: number): Promise<SourceStage> {
    const binaries = (await findBinaries()).find(({ bin }) =>
      bin.startsWith('/usr/lib/postgresql'),
    );
    if (!binaries) throw new Error('Install postgresql-15: its pg_basebackup is the peer.');
    await keepOn(ofOthers, process.pid);
    const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
    const memory = await mkdtemp('/dev/shm/godwit-bench-');
    for (const folder of [dir, memory]) await chmod(folder, 0o755);
    await mkdir(join(dir, 'regions'));
    await symlink(memory, join(dir, 'regions', 'osc-secnum-fr1'));
    const { ready, stop } = await startDevProcess(dir);
    const remove = async () => {
      await stop();
      for (const folder of [dir, memory]) await rm(folder, { recursive: true, force: true });
    };
    try {
      const [from, to] = ready.regions;
      const agent = (await readJsonFile(join(dir, 'dev.json'), devState))?.processes['osc-fr1'];
      if (!from || !to || !agent) throw new Error('There are to be two regions.');
      await keepOn(ofSource, agent.pid);
      const client = new ApiClient({ url: ready.api, token: ready.token, region: from.name });
      const version = binaries.major;
      const url = await deployBirdLog(client, app, { edge: from.edge, rows: 50_000, version });
      const address = await databaseUrl(client, app);
      await enlarge(address, gigabytes);
      const databases = join(dir, 'regions', from.name, 'databases');
      const [id = ''] = await readdir(databases);
      const database = {
        cluster: new Cluster(join(databases, id), () => binaries),
        port: new URL(address).port,
      };
      const { hostname } = new URL(url);
      return new SourceStage(from.edge, hostname, client, to.name, database, memory, remove);
    } catch (error) {
      await remove();
      throw error;
    }
  }

  /** As a migration copies: until the database follows. Returns when the first bytes are there. */
  async copyByGodwit(): Promise<Copy> {
    const { id } = await this.client.createMigration(app, this.destination, '', { verify: 'none' });
    let copied = 0;
    const settled = () =>
      followMigration(this.client, app, id, ({ steps }) => {
        copied = steps.find(({ progress }) => progress)?.progress?.done ?? copied;
      });
    const ask = (phase: PhaseName) => this.client.runMigration(app, id, phase);
    await settled();
    await ask('prepare');
    await settled();
    await ask('data');
    const over = settled();
    await until(async () => copied > 0, { timeout: 60_000, every: 20, what: 'the copy to begin' });
    const end = async () => {
      const before = copied;
      await ask('abort');
      await settled();
      return before;
    };
    return { over, end };
  }

  /** By the superuser, over TLS: of whoever has a follower's credential, the source's agent would know. */
  async copyByPgBasebackup(): Promise<Copy> {
    const { cluster, port } = this.database;
    const rule = `hostssl replication ${superuser} 127.0.0.1/32 trust\n`;
    await appendFile(join(cluster.data, 'pg_hba.conf'), rule);
    await cluster.reload();
    const folder = await mkdtemp(join(this.memory, 'copy-'));
    const account = serviceAccount('postgres');
    if (account) await chown(folder, account.uid, account.gid);
    const args = ['-h', '127.0.0.1', '-p', port, '-U', superuser, '-D', folder];
    args.push('--wal-method=none', '--checkpoint=fast', '--no-clean');
    const program = join(cluster.binaries.bin, 'pg_basebackup');
    const env = { PGSSLMODE: 'require' };
    const child = spawn(program, args, { stdio: 'ignore', cwd: '/', env, ...account });
    const over = once(child, 'exit');
    const end = async () => {
      child.kill();
      await over;
      const { stdout } = await run('du', ['--bytes', '--summarize', folder]);
      await rm(folder, { recursive: true });
      return Number.parseInt(stdout, 10);
    };
    return { over, end };
  }
}

/** Gives a database so many gigabytes that nobody reads but whoever copies it. */
async function enlarge(database: string, gigabytes: number): Promise<void> {
  const client = new pg.Client(database);
  await client.connect();
  await client.query(
    `CREATE TABLE archive AS SELECT n, repeat(md5(n::text), 30) AS text
       FROM generate_series(1, ${Math.round(gigabytes * 960_000)}) AS n`,
  );
  await client.end();
}
