import { once } from 'node:events';
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import pg from 'pg';
import { serviceAccount } from '../shared/account.js';
import { isAlive, type ProcessIdentity, signalProcess, waitForExit } from '../shared/processes.js';
import { dataFolder, Service } from '../shared/service.js';
import { until } from '../shared/until.js';
import type { Binaries } from './binaries.js';
import { type HbaRule, hbaFile, type Settings, settingsFile } from './configuration.js';

/** The superuser of every cluster, who can log in over the socket in its data folder only. */
export const superuser = 'godwit';

/** How a cluster is run; written to its configuration files before each start. */
export interface ClusterOptions {
  readonly port: number;
  readonly settings: Settings;
  readonly rules: readonly HbaRule[];
}

/** How a session is lent. */
export interface SessionOptions {
  readonly database?: string;
  /** Whose session it is; the superuser's, if not given. */
  readonly user?: string;
  /** Settings of the session, in words of the command line of `postgres`. */
  readonly settings?: string;
  readonly signal?: AbortSignal | undefined;
}

/** How long a cluster may take to start, or to end: recovery and checkpoints take their time. */
const patience = 300_000;

/** How long one gets to crash in order, which takes what it shares with it, in milliseconds. */
const crashPatience = 2_000;

/** One PostgreSQL cluster in a folder of its own. */
export class Cluster extends Service {
  readonly #binaries: () => Binaries;

  /** @param binaries asked for once they are needed */
  constructor(folder: string, binaries: () => Binaries) {
    super(folder, { name: 'PostgreSQL', account: serviceAccount('postgres') });
    this.#binaries = binaries;
  }

  /** @throws when the host does not have them any more */
  get binaries(): Binaries {
    return this.#binaries();
  }

  /** Whether there is a cluster, initialised to its end. */
  async exists(): Promise<boolean> {
    return stat(join(this.data, 'PG_VERSION')).then(
      () => true,
      () => false,
    );
  }

  /**
   * Makes a new, empty cluster, unless there is one.
   * @param how.sync whether the disk has to keep it already; else {@link Cluster.sync} sees to that later
   */
  async initialise({ sync = true } = {}): Promise<void> {
    if (await this.exists()) return;
    const unfinished = join(this.folder, 'data.new');
    await rm(unfinished, { recursive: true, force: true });
    await this.makeDataFolder(unfinished);
    await this.#initdb(
      [
        ...['-D', dataFolder, '-U', superuser, '-A', 'scram-sha-256', '--auth-local=trust'],
        ...['-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums'],
        ...(sync ? [] : ['--no-sync']),
      ],
      unfinished,
    );
    await rename(unfinished, this.data);
  }

  /** Has the disk keep what was written to the data folder, and nothing else that waits to be. */
  async sync(): Promise<void> {
    await this.#initdb(['--sync-only', '-D', dataFolder]);
  }

  async #initdb(args: readonly string[], data?: string): Promise<void> {
    const code = await this.run(this.#program('initdb'), args, data);
    if (code !== 0) throw new Error(`initdb ended with ${code}. ${await this.lastLogLines()}`);
  }

  #program(name: 'initdb' | 'postgres'): string {
    return join(this.binaries.bin, name);
  }

  /**
   * Starts the cluster, or adopts it when it runs already, and waits until it accepts connections.
   * @throws when it does not; when `signal` fires, and then it may go on starting
   */
  async start(options: ClusterOptions, signal?: AbortSignal): Promise<ProcessIdentity> {
    const running = await this.launch(options);
    await this.#accepting(running, signal);
    return running;
  }

  /** Starts the cluster, or adopts it when it runs already. It may take long to accept connections. */
  async launch(options: ClusterOptions): Promise<ProcessIdentity> {
    const running = await this.identity();
    if (running) {
      await this.configure(options);
      return running;
    }
    await this.killAll();
    await this.#removeLocks();
    await this.configure(options);
    return this.launchProcess(this.#program('postgres'), ['-D', dataFolder]);
  }

  /** Writes the configuration; what runs already takes it over at {@link Cluster.reload}. */
  async configure({ port, settings, rules }: ClusterOptions): Promise<void> {
    await this.writeFile('postgresql.conf', settingsFile({ ...settings, port }));
    await this.writeFile('pg_hba.conf', hbaFile(superuser, rules));
  }

  /** Makes a running cluster read its configuration again. */
  async reload(): Promise<void> {
    const running = await this.identity();
    if (running) signalProcess(running, 'SIGHUP');
  }

  /**
   * Ends the cluster in order: ends all sessions, sends followers all that there is, and leaves a
   * clean shutdown checkpoint.
   * @throws when it does not end; when `signal` fires, and then it may go on ending
   */
  async stop(signal?: AbortSignal): Promise<void> {
    await this.end('SIGINT', patience, signal);
  }

  /** Ends the cluster by a crash, whatever state its processes are in. What was committed stays. */
  override async crash(): Promise<void> {
    const running = await this.identity();
    if (running) {
      signalProcess(running, 'SIGQUIT');
      await waitForExit(running, crashPatience);
    }
    await this.killAll();
  }

  /** Ends the cluster without ceremony, and has it keep nothing for followers, as a copy of it would not. */
  async dropSlots(): Promise<void> {
    await this.crash();
    const folder = join(this.data, 'pg_replslot');
    const slots = await readdir(folder);
    await Promise.all(slots.map((slot) => rm(join(folder, slot), { recursive: true })));
  }

  /**
   * Lends a session, of the superuser if no other is named. The data folder is named by a descriptor: socket paths must be short.
   * @throws when `signal` fires, also while the cluster does not answer
   */
  async session<T>(
    port: number,
    use: (client: pg.Client) => Promise<T>,
    { database = 'postgres', user = superuser, settings, signal }: SessionOptions = {},
  ): Promise<T> {
    signal?.throwIfAborted();
    const folder = await open(this.data, 'r');
    const client = new pg.Client({
      host: `/proc/self/fd/${folder.fd}`,
      port,
      user,
      database,
      ...(settings && { options: settings }),
      connectionTimeoutMillis: 10_000,
    });
    client.on('error', () => undefined); // the query under way rejects with it
    const breakOff = () => client.connection.stream.destroy();
    signal?.addEventListener('abort', breakOff, { once: true });
    try {
      await client.connect();
      return await use(client);
    } finally {
      // Who does not answer does not say goodbye either.
      const stuck = setTimeout(breakOff, 1_000);
      await client.end();
      clearTimeout(stuck);
      signal?.removeEventListener('abort', breakOff);
      await folder.close();
    }
  }

  /**
   * What a client program prints, over the socket as {@link Cluster.session}.
   * @param binaries of the program, whose major may be another one
   * @throws with what it said, when it fails
   */
  async output(
    binaries: Binaries,
    name: 'pg_dump' | 'pg_dumpall',
    args: readonly string[],
  ): Promise<string> {
    const program = join(binaries.bin, name);
    const child = await this.spawn(program, ['-h', dataFolder, ...args], this.data, {
      stdout: 'pipe',
    });
    if (!child.stdout) throw new Error(`${name} has nowhere to print to.`);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
    if (code !== 0) throw new Error(`${name} ended with ${code}. ${await this.lastLogLines()}`);
    return output;
  }

  /**
   * Removes what a crash left of its locks. PostgreSQL itself would trust the process numbers in them, which
   * may be a zombie's, or somebody else's by now.
   */
  async #removeLocks(): Promise<void> {
    const left = (await readdir(this.data)).filter(
      (name) => name === 'postmaster.pid' || name.startsWith('.s.PGSQL.'),
    );
    await Promise.all(left.map((name) => rm(join(this.data, name), { force: true })));
  }

  /** Waits for the word `ready`, line 8 of `postmaster.pid` (PostgreSQL's `utils/pidfile.h`). */
  async #accepting(running: ProcessIdentity, signal?: AbortSignal): Promise<void> {
    await until(
      async () => {
        if (!isAlive(running)) {
          throw new Error(`PostgreSQL ended while starting. ${await this.lastLogLines()}`);
        }
        const lines = (await this.#pidFile()).split('\n');
        return Number(lines[0]) === running.pid && lines[7]?.trim() === 'ready';
      },
      { timeout: patience, every: 20, signal, what: 'PostgreSQL to be ready' },
    );
  }

  async #pidFile(): Promise<string> {
    return readFile(join(this.data, 'postmaster.pid'), 'utf8').catch(() => ''); // it does not run
  }
}
