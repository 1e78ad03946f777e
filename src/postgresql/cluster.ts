import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chown,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  signalProcess,
  waitForExit,
  workingIn,
} from '../shared/processes.js';
import { until } from '../shared/until.js';
import { databaseAccount } from './account.js';
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

/** The data folder, as file descriptor 3 of every process of the cluster. See {@link Cluster.#spawn}. */
const dataFolder = '/proc/self/fd/3';

/** What PostgreSQL's programs have of the environment. */
const environment = { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', TZ: 'UTC' };

/** How long a cluster may take to start, or to end: recovery and checkpoints take their time. */
const patience = 300_000;

/** How long one gets to crash in order, which takes what it shares with it, in milliseconds. */
const crashPatience = 2_000;

/**
 * One PostgreSQL cluster in a folder of its own: `data/` and a log. It runs detached, so that it
 * outlives whoever started it, and is found again by what its own `postmaster.pid` says.
 */
export class Cluster {
  readonly folder: string;
  readonly binaries: Binaries;

  constructor(folder: string, binaries: Binaries) {
    this.folder = folder;
    this.binaries = binaries;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get #log(): string {
    return join(this.folder, 'postgresql.log');
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
    const child = await this.#spawn(
      'initdb',
      [
        ...['-D', dataFolder, '-U', superuser, '-A', 'scram-sha-256', '--auth-local=trust'],
        ...['-E', 'UTF8', '--locale=C.UTF-8', '--data-checksums'],
        ...(sync ? [] : ['--no-sync']),
      ],
      unfinished,
    );
    await this.#succeeds(child);
    await rename(unfinished, this.data);
  }

  /** Has the disk keep what was written to the data folder, and nothing else that waits to be. */
  async sync(): Promise<void> {
    await this.#succeeds(await this.#spawn('initdb', ['--sync-only', '-D', dataFolder], this.data));
  }

  async #succeeds(initdb: ChildProcess): Promise<void> {
    const [code] = await once(initdb, 'exit');
    if (code !== 0) throw new Error(`initdb ended with ${code}. ${await this.lastLogLines()}`);
  }

  /** An empty folder that only the database account can open. */
  async makeDataFolder(path: string = this.data): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await mkdir(path, { recursive: true, mode: 0o700 });
    const account = databaseAccount();
    if (account) await chown(path, account.uid, account.gid);
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
    const child = await this.#spawn('postgres', ['-D', dataFolder], this.data);
    const started = child.pid === undefined ? null : identify(child.pid);
    child.unref();
    if (!started) throw new Error(`PostgreSQL ended at once. ${await this.lastLogLines()}`);
    return started;
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
    const running = await this.identity();
    if (!running) return;
    signalProcess(running, 'SIGINT');
    if (await waitForExit(running, patience, signal)) return;
    throw new Error(
      `PostgreSQL (process ${running.pid}) has not ended after ${patience / 1000} s.`,
    );
  }

  /** Ends the cluster by a crash, whatever state its processes are in. What was committed stays. */
  async crash(): Promise<void> {
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

  /** Ends the cluster without ceremony, and removes its data. */
  async wipe(): Promise<void> {
    await this.crash();
    // What the postmaster had started may still write for a moment.
    await rm(this.data, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  /** The postmaster, if it runs. Its number alone would not do: it may be another process's by now. */
  async identity(): Promise<ProcessIdentity | null> {
    const identity = identify(Number.parseInt(await this.#pidFile(), 10));
    if (!identity) return null;
    const command = await readFile(`/proc/${identity.pid}/cmdline`, 'utf8').catch(() => '');
    return command.split('\0')[0]?.endsWith('/postgres') ? identity : null;
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
    program: 'pg_dump' | 'pg_dumpall',
    args: readonly string[],
  ): Promise<string> {
    const folder = await open(this.data, 'r');
    try {
      const child = spawn(join(binaries.bin, program), ['-h', dataFolder, ...args], {
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe', folder.fd],
        env: environment,
        ...databaseAccount(),
      });
      if (!child.stdout || !child.stderr) throw new Error(`${program} has nowhere to print to.`);
      const [output, complaints, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close'),
      ]);
      if (code !== 0) throw new Error(`${program} ended with ${code}. ${complaints.trimEnd()}`);
      return output;
    } finally {
      await folder.close();
    }
  }

  async lastLogLines(count = 5): Promise<string> {
    const log = await readFile(this.#log, 'utf8').catch(() => '');
    return log.trimEnd().split('\n').slice(-count).join('\n');
  }

  /**
   * Kills all processes that have the data folder as their own, which all of PostgreSQL's have:
   * what outlives its postmaster keeps the port, and another one from starting.
   */
  async killAll(): Promise<void> {
    const folder = await realpath(this.data).catch(() => null); // there is none
    if (folder === null) return;
    for (let left = workingIn(folder); left.length > 0; left = workingIn(folder)) {
      for (const process of left) signalProcess(process, 'SIGKILL');
      await sleep(10);
    }
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

  /** Writes a file of the data folder, for the database account only. */
  async writeFile(name: string, content: string): Promise<void> {
    const file = join(this.data, name);
    await writeFile(`${file}.new`, content, { mode: 0o600 });
    const account = databaseAccount();
    if (account) await chown(`${file}.new`, account.uid, account.gid);
    await rename(`${file}.new`, file);
  }

  /**
   * Starts a program of PostgreSQL as the database account. That account may not be able to walk
   * the path to the data folder (somewhere below a private folder), so the folder is handed over
   * opened, as descriptor 3.
   */
  async #spawn(program: 'initdb' | 'postgres', args: readonly string[], data: string) {
    const folder = await open(data, 'r');
    const log = await open(this.#log, 'a', 0o600);
    try {
      const child = spawn(join(this.binaries.bin, program), args, {
        cwd: '/',
        detached: true,
        stdio: ['ignore', log.fd, log.fd, folder.fd],
        env: environment,
        ...databaseAccount(),
      });
      await once(child, 'spawn');
      return child;
    } finally {
      await folder.close();
      await log.close();
    }
  }
}
