import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdir, open, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './account.js';
import { readJsonFile, writeJsonFile } from './json-file.js';
import { type Command, isWalkable, mounting, mountPoint } from './mounting.js';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
  workingIn,
} from './processes.js';

/** The data folder, as file descriptor 3 of every process of a service. See {@link Service}. */
export const dataFolder = '/proc/self/fd/3';

/** How much of a log is read for its last lines, in bytes: it may have grown for years. */
const mostOfLog = 128 * 1024;

/** What a service is called and runs as. */
export interface ServiceOptions {
  /** For messages, and in small letters for its log: `PostgreSQL`. */
  readonly name: string;
  /** Whom its processes and files belong to; null for whoever runs this process. */
  readonly account: Account | null;
  /** Whether its programs work in the data folder, and want a path to it ({@link Service.path}); descriptor 3 does for others. */
  readonly walks?: boolean;
}

/** What a program is given, and where its output goes. */
export interface Piping {
  readonly stdin?: 'ignore' | 'pipe';
  readonly stdout?: 'log' | 'pipe';
}

/**
 * A server in a folder of its own: `data/`, where its processes work, and a log. It runs
 * detached, so that it outlives whoever started it, and is found again by what is written down
 * about its process.
 */
export class Service {
  readonly folder: string;
  readonly account: Account | null;
  readonly #name: string;
  readonly #walks: boolean;

  constructor(folder: string, { name, account, walks = false }: ServiceOptions) {
    this.folder = folder;
    this.account = account;
    this.#name = name;
    this.#walks = walks;
  }

  get data(): string {
    return join(this.folder, 'data');
  }

  get #log(): string {
    return join(this.folder, `${this.#name.toLowerCase()}.log`);
  }

  get #process(): string {
    return join(this.folder, 'process.json');
  }

  /** Its process, if that runs. */
  async identity(): Promise<ProcessIdentity | null> {
    const known = await readJsonFile(this.#process, processIdentity);
    return known && isAlive(known) ? known : null;
  }

  /** An empty folder that only its account can open. */
  async makeDataFolder(path: string = this.data): Promise<void> {
    await mkdir(this.folder, { recursive: true });
    await mkdir(path, { recursive: true, mode: 0o700 });
    await this.#giveAway(path);
  }

  /** Writes a file of the data folder, whole or not at all, for its account only. */
  async writeFile(name: string, text: string): Promise<void> {
    const file = join(this.data, name);
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await this.#giveAway(`${file}.new`);
    await rename(`${file}.new`, file);
  }

  /**
   * Ends it by a signal, and waits; does nothing when it does not run.
   * @param patience in milliseconds
   * @throws when it has not ended by then; when `abort` fires, and then it may go on ending
   */
  async end(signal: NodeJS.Signals, patience: number, abort?: AbortSignal): Promise<void> {
    const running = await this.identity();
    if (!running) return;
    signalProcess(running, signal);
    if (await waitForExit(running, patience, abort)) return;
    throw new Error(
      `${this.#name} (process ${running.pid}) has not ended after ${patience / 1000} s.`,
    );
  }

  /** Ends it whatever state its processes are in. What it had written stays. */
  async crash(): Promise<void> {
    await this.killAll();
  }

  /**
   * Kills all processes that work in the data folder: what outlives the one that is known keeps
   * the port, and another one from starting.
   */
  async killAll(): Promise<void> {
    const folder = await realpath(this.data).catch(() => null); // there is none
    if (folder === null) return;
    for (let left = workingIn(folder); left.length > 0; left = workingIn(folder)) {
      for (const process of left) signalProcess(process, 'SIGKILL');
      await sleep(10);
    }
  }

  /** Ends it without ceremony, and removes its data. */
  async wipe(): Promise<void> {
    await this.crash();
    // What it had started may still write for a moment.
    await rm(this.data, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async lastLogLines(count = 5): Promise<string> {
    const log = await open(this.#log, 'r').catch(() => null);
    if (!log) return ''; // it has said nothing yet
    try {
      const { size } = await log.stat();
      const tail = Buffer.alloc(Math.min(size, mostOfLog));
      const { bytesRead } = await log.read(tail, 0, tail.length, size - tail.length);
      const text = tail.toString('utf8', 0, bytesRead);
      return text.trimEnd().split('\n').slice(-count).join('\n');
    } finally {
      await log.close();
    }
  }

  /** Where its programs, if they walk, find the data folder: where it is, or where it is mounted for them. */
  protected async path(data: string = this.data): Promise<string> {
    const folder = await realpath(data);
    return (await this.#isOutOfReach(folder)) ? mountPoint : folder;
  }

  async #isOutOfReach(folder: string): Promise<boolean> {
    return this.#walks && this.account !== null && !(await isWalkable(folder));
  }

  /**
   * Starts the process that {@link identity} finds again. To be called when none runs.
   * @throws when it ends at once
   */
  protected async launchProcess(
    program: string,
    args: readonly string[],
  ): Promise<ProcessIdentity> {
    const child = await this.spawn(program, args);
    const started = child.pid === undefined ? null : identify(child.pid);
    child.unref();
    if (!started) throw new Error(`${this.#name} ended at once. ${await this.lastLogLines()}`);
    // Who dies before this is written leaves a process that killAll finds.
    await writeJsonFile(this.#process, started);
    return started;
  }

  /**
   * Runs a program that ends by itself.
   * @returns its exit code; null when a signal ended it
   */
  protected async run(
    program: string,
    args: readonly string[],
    data: string = this.data,
  ): Promise<number | null> {
    const child = await this.spawn(program, args, data);
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child.exitCode;
  }

  /**
   * Starts a program as the account, what it says going to the log. The account may not be able to walk
   * the path to the data folder (somewhere below a private folder), so the folder is handed over
   * opened, as descriptor 3, and worked in: that is what it is found by when nobody wrote it down. Or it
   * is mounted, for programs that want a path.
   */
  protected async spawn(
    program: string,
    args: readonly string[],
    data: string = this.data,
    { stdin = 'ignore', stdout = 'log' }: Piping = {},
  ): Promise<ChildProcess> {
    const folder = await open(data, 'r');
    const log = await open(this.#log, 'a', 0o600);
    try {
      const command = await this.#command({ program, args, account: this.account }, data);
      const child = spawn(command.program, command.args, {
        cwd: dataFolder,
        detached: true,
        stdio: [stdin, stdout === 'log' ? log.fd : stdout, log.fd, folder.fd],
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', TZ: 'UTC' },
        ...command.account,
      });
      await once(child, 'spawn');
      return child;
    } finally {
      await folder.close();
      await log.close();
    }
  }

  async #command(command: Command, data: string): Promise<Command> {
    const folder = await realpath(data);
    return command.account !== null && (await this.#isOutOfReach(folder))
      ? mounting(folder, command.account, command)
      : command;
  }

  async #giveAway(path: string): Promise<void> {
    if (this.account) await chown(path, this.account.uid, this.account.gid);
  }
}
