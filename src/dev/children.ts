import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { identify, type ProcessIdentity, signalProcess, waitForExit } from '../shared/processes.js';

const program = fileURLToPath(new URL('../../bin/godwit.js', import.meta.url));

/** Between the death of a child and its successor, in milliseconds. */
const backOff = { first: 50, longest: 2_000 };
/** A child that has lived for so long has not died at once. */
const stable = 5_000;
/** How long a child may take to end in order. */
const grace = 90_000;

export interface ChildOptions {
  /** A command of `godwit`, with its arguments. */
  readonly args: readonly string[];
  readonly logFile: string;
  /** Called with each process that is started. */
  readonly started: (identity: ProcessIdentity) => Promise<void>;
}

/**
 * Keeps one command of Godwit running in a process of its own. The process hears of the end of
 * this one by its IPC channel, and then ends by itself.
 */
export class Child {
  readonly #options: ChildOptions;
  readonly #stopping = new AbortController();
  #process: ChildProcess | null = null;
  #life: Promise<void> = Promise.resolve();

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  start(): void {
    this.#life = this.#live();
  }

  /** Has it end in order; returns when it has. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const running = this.#process?.pid === undefined ? null : identify(this.#process.pid);
    if (running) await endProcess(running);
    await this.#life;
  }

  async #live(): Promise<void> {
    const { signal } = this.#stopping;
    let pause = backOff.first;
    while (!signal.aborted) {
      const startedAt = Date.now();
      const child = await this.#spawn();
      this.#process = child;
      if (signal.aborted) child.kill('SIGTERM');
      await once(child, 'exit');
      this.#process = null;
      pause =
        Date.now() - startedAt > stable ? backOff.first : Math.min(pause * 2, backOff.longest);
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }

  async #spawn(): Promise<ChildProcess> {
    const log = await open(this.#options.logFile, 'a', 0o600);
    try {
      const child = spawn(process.execPath, [program, ...this.#options.args], {
        stdio: ['ignore', log.fd, log.fd, 'ipc'],
      });
      await once(child, 'spawn');
      const identity = child.pid === undefined ? null : identify(child.pid);
      if (identity) await this.#options.started(identity);
      return child;
    } finally {
      await log.close();
    }
  }
}

/** Ends a process: in order if it can, at once if it cannot. */
export async function endProcess(identity: ProcessIdentity): Promise<void> {
  signalProcess(identity, 'SIGTERM');
  if (await waitForExit(identity, grace)) return;
  signalProcess(identity, 'SIGKILL');
  await waitForExit(identity, grace);
}
