import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { processState } from '../../../region/model.js';
import type { Account } from '../../../shared/account.js';
import { messageOf } from '../../../shared/errors.js';
import { freePort, processPorts } from '../../../shared/free-port.js';
import { newId } from '../../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../../shared/json-file.js';
import {
  groupMembers,
  identify,
  isAlive,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  withVariable,
} from '../../../shared/processes.js';
import type { LogBook } from './log-book.js';

/** Times in milliseconds. */
export interface Patience {
  /** Between SIGTERM and SIGKILL. */
  readonly grace: number;
  /** For a web process to accept connections. */
  readonly boot: number;
}

/** One process to be kept running. */
export interface Wanted {
  readonly app: string;
  /** Such as `web-1`. */
  readonly name: string;
  readonly command: string;
  /** The folder it runs in. */
  readonly build: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Whether it is to accept connections on `PORT`. */
  readonly isWeb: boolean;
  readonly account: Account | null;
}

/** Marks every process of an app, so that one is found that was started just before a crash of the agent. */
export const marker = 'GODWIT_PROCESS';

/** Crashes in a row after which a process counts as unhealthy. */
const tooMany = 3;
/** A process that has run for so long has not crashed "in a row". */
const stable = 60_000;
/** One that accepts no connections shows by staying alive for so long that it has started. */
const settling = 300;
const backOff = { first: 100, longest: 30_000 };

const record = z.object({
  /** The value of {@link marker}, written down before the process is started. */
  mark: z.string(),
  port: z.number().int().nullable(),
  process: processIdentity.nullable(),
  startedAt: z.string().optional(),
  /** Milliseconds until it had started. */
  bootTime: z.number().optional(),
});
type ProcessRecord = z.infer<typeof record>;

/** A process that was started; `exit` tells how it ended, for people. */
interface Running {
  readonly exit: Promise<string>;
}

/** Keeps one process of an app running: starts it, watches it, starts it again after a crash. */
export class Supervised {
  readonly wanted: Wanted;
  readonly #file: string;
  readonly #logBook: LogBook;
  readonly #patience: Patience;
  readonly #changed: () => void;
  readonly #leaving = new AbortController();
  #life: Promise<void> = Promise.resolve();
  #state: z.infer<typeof processState> = 'starting';
  #record: ProcessRecord | null = null;
  #crashes = 0;
  #streak = 0;
  /** Why it is unhealthy. */
  #verdict: string | null = null;

  constructor(
    wanted: Wanted,
    parts: { folder: string; logBook: LogBook; patience: Patience; changed: () => void },
  ) {
    this.wanted = wanted;
    this.#file = join(parts.folder, `${wanted.name}.json`);
    this.#logBook = parts.logBook;
    this.#patience = parts.patience;
    this.#changed = parts.changed;
  }

  get state() {
    return this.#state;
  }

  /** When it was last started; null when that is not known. */
  get startedAt(): string | null {
    return this.#record?.startedAt ?? null;
  }

  /** Milliseconds that its start took; null when that is not known. */
  get bootTime(): number | null {
    return this.#record?.bootTime ?? null;
  }

  get crashes() {
    return this.#crashes;
  }

  get verdict() {
    return this.#verdict;
  }

  /** Where it accepts connections; null while it does not. */
  get port(): number | null {
    return this.#state === 'running' ? (this.#record?.port ?? null) : null;
  }

  /** Starts it, or finds the one again that an earlier agent started. */
  start(): void {
    this.#life = this.#live();
  }

  /**
   * Ends it, and whatever it started; returns when nothing of it runs.
   * @param grace milliseconds between SIGTERM and SIGKILL
   */
  async stop(grace = this.#patience.grace): Promise<void> {
    await this.leave();
    this.#setState('stopped');
    const known = this.#record ?? (await readJsonFile(this.#file, record));
    if (known) await this.#end(known, grace);
    await rm(this.#file, { force: true });
  }

  /** Stops watching. */
  async leave(): Promise<void> {
    this.#leaving.abort();
    await this.#life;
  }

  async #live(): Promise<void> {
    const { signal } = this.#leaving;
    let running = await this.#adopt();
    while (!signal.aborted) {
      const startedAt = Date.now();
      let ended: string | null;
      try {
        running ??= await this.#spawn();
        ended = await this.#watch(running, signal);
      } catch (error) {
        ended = `could not be started: ${messageOf(error)}`;
      }
      running = null;
      if (ended === null) return;
      if (Date.now() - startedAt > stable) this.#streak = 0;
      this.#crashes += 1;
      this.#streak += 1;
      this.#setState('backing-off');
      const wait = Math.min(backOff.first * 2 ** (this.#streak - 1), backOff.longest);
      await this.#logBook.collect([this.wanted.name]);
      await this.#logBook.note(`${this.wanted.name} ${ended}; starts again in ${wait / 1000} s`);
      if (this.#streak >= tooMany) {
        const often = `${this.wanted.name} has ended ${this.#streak} times in a row`;
        await this.#judge(`${often}; the last time it ${ended}`, new Date(startedAt));
      }
      if (this.#record) await this.#end(this.#record);
      await sleep(wait, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns what became of it, for people; null when `signal` fired first */
  async #watch({ exit }: Running, signal: AbortSignal): Promise<string | null> {
    const left = new Promise<null>((resolve) => {
      if (signal.aborted) resolve(null);
      signal.addEventListener('abort', () => resolve(null), { once: true });
    });
    this.#setState('starting');
    const bootEnds = new AbortController();
    const booted = this.#boot(AbortSignal.any([signal, bootEnds.signal]));
    try {
      const first = await Promise.race([exit, left, booted]);
      if (first !== true) return first;
    } finally {
      bootEnds.abort();
    }
    await this.#noteBoot();
    this.#setState('running');
    const calm = setTimeout(() => {
      this.#streak = 0;
      this.#verdict = null;
    }, stable);
    try {
      return await Promise.race([exit, left]);
    } finally {
      clearTimeout(calm);
    }
  }

  async #noteBoot(): Promise<void> {
    const record = this.#record;
    if (!record?.startedAt || record.bootTime !== undefined) return;
    await this.#write({ ...record, bootTime: Date.now() - Date.parse(record.startedAt) });
  }

  /** @returns true once it has started; what is wrong when it does not */
  async #boot(signal: AbortSignal): Promise<true | string> {
    const port = this.#record?.port ?? null;
    if (port === null) {
      await sleep(settling, undefined, { signal }).catch(() => undefined);
      return true;
    }
    const deadline = Date.now() + this.#patience.boot;
    while (!signal.aborted) {
      if (await accepts(port)) return true;
      if (Date.now() > deadline) {
        this.#streak = tooMany;
        return `did not accept connections on PORT (${port}) within ${this.#patience.boot / 1000} s`;
      }
      await sleep(20);
    }
    return true;
  }

  /** Takes over what an earlier agent started. */
  async #adopt(): Promise<Running | null> {
    this.#record = await readJsonFile(this.#file, record);
    const running = this.#record?.process;
    if (running && isAlive(running)) return { exit: exitOf(running) };
    if (this.#record) await this.#end(this.#record);
    return null;
  }

  async #spawn(): Promise<Running> {
    const { app, name, command, build, environment, isWeb, account } = this.wanted;
    const mark = `${app}/${name}/${newId()}`;
    const port = isWeb ? await freePort(processPorts) : null;
    await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
    const startedAt = new Date().toISOString();
    await this.#write({ mark, port, process: null, startedAt });
    const capture = await this.#logBook.openCapture(name);
    try {
      const child = spawn('/bin/sh', ['-c', command], {
        cwd: build,
        detached: true,
        stdio: ['ignore', capture.fd, capture.fd],
        env: {
          PATH: searchPath(build),
          HOME: build,
          LANG: 'C.UTF-8',
          CONTAINER: name,
          ...environment,
          ...(port !== null && { PORT: String(port) }),
          [marker]: mark,
        },
        ...account,
      });
      const exit = exitOfChild(child);
      await once(child, 'spawn');
      child.unref();
      const started = child.pid === undefined ? null : identify(child.pid);
      if (started) await this.#write({ mark, port, process: started, startedAt });
      return { exit };
    } finally {
      await capture.close();
    }
  }

  /** Ends everything of one start: its process group, and what left that but has its mark. */
  async #end(
    { mark, process: leader }: ProcessRecord,
    grace = this.#patience.grace,
  ): Promise<void> {
    const members = () =>
      [
        ...(leader ? groupMembers(leader.pid) : []),
        ...withVariable(marker).flatMap(({ process, value }) => (value === mark ? process : [])),
      ].filter(isAlive);
    const deadline = Date.now() + grace;
    let signal: NodeJS.Signals = 'SIGTERM';
    for (let left = members(); left.length > 0; left = members()) {
      for (const member of left) signalProcess(member, signal);
      do await sleep(10);
      while (left.some(isAlive) && Date.now() < deadline);
      signal = 'SIGKILL';
    }
  }

  async #judge(what: string, since: Date): Promise<void> {
    const { lines } = await this.#logBook.tail(20, { of: [this.wanted.name], since });
    const said =
      lines.length > 0 ? ` It last printed:\n${lines.join('\n')}` : ' It printed nothing.';
    this.#verdict = `${what}.${said}`;
  }

  #setState(state: z.infer<typeof processState>): void {
    this.#state = state;
    this.#changed();
  }

  async #write(now: ProcessRecord): Promise<void> {
    await writeJsonFile(this.#file, now);
    this.#record = now;
  }
}

/** Where programs are looked for: the app's own first, then Node.js' and the system's. */
export function searchPath(build: string): string {
  const system = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  return [join(build, 'node_modules', '.bin'), dirname(process.execPath), ...system].join(
    delimiter,
  );
}

function exitOfChild(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(code === null ? `was ended by ${signal}` : `exited with code ${code}`),
    );
  });
}

/** The end of a process that is nobody's child here. */
async function exitOf(identity: ProcessIdentity): Promise<string> {
  while (isAlive(identity)) await sleep(100, undefined, { ref: false });
  return 'ended';
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (accepted: boolean) => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('connect', () => answer(true));
    socket.once('error', () => answer(false));
  });
}
