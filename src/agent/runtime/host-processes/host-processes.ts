import { basename, join } from 'node:path';
import type { AppHealth, LogLines } from '../../../region/model.js';
import { messageOf } from '../../../shared/errors.js';
import { jsonFilesIn } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import type { Backend } from '../../edge/route.js';
import type { Runtime, Stopping, Workload } from '../runtime.js';
import { appAccount } from './account.js';
import { LogBook } from './log-book.js';
import { type Patience, Supervised, type Wanted } from './supervised.js';

type Place = Pick<Workload, 'app' | 'folder'>;

interface Kept {
  readonly processes: Map<string, Supervised>;
  readonly logBook: LogBook;
}

/** How often logs are collected, in milliseconds. */
const collecting = 500;

/** Runs apps as processes of the host, each in a session of its own. */
export class HostProcesses implements Runtime {
  readonly #apps = new Map<string, Kept>();
  readonly #logger: Logger;
  readonly #patience: Patience;
  readonly #changed: (app: string) => void;
  readonly #collecting: NodeJS.Timeout;

  /** @param parts.changed called whenever a process of an app begins or ceases to accept connections */
  constructor(parts: {
    logger: Logger;
    changed: (app: string) => void;
    patience?: Partial<Patience>;
  }) {
    this.#logger = parts.logger;
    this.#changed = parts.changed;
    this.#patience = { grace: 10_000, boot: 60_000, ...parts.patience };
    this.#collecting = setInterval(() => this.#collect(), collecting);
    this.#collecting.unref();
  }

  async run(workload: Workload): Promise<void> {
    const kept = this.#keep(workload);
    const wanted = wantedProcesses(workload);
    const names = new Set(wanted.map(({ name }) => name));
    await this.#stopAll(workload, (name) => !names.has(name));
    for (const one of wanted) {
      if (kept.processes.has(one.name)) continue;
      const supervised = this.#supervise(one, workload);
      kept.processes.set(one.name, supervised);
      supervised.start();
    }
  }

  async stop(place: Place, { scope, grace }: Stopping = {}): Promise<void> {
    const isMeant = (name: string) =>
      scope === undefined || scope.includes(name) || scope.includes(typeOf(name));
    await this.#stopAll(place, isMeant, grace);
  }

  forget(app: string): void {
    this.#apps.delete(app);
  }

  health(app: string): AppHealth {
    const supervised = [...(this.#apps.get(app)?.processes.values() ?? [])];
    const processes = supervised.map(({ wanted, state, startedAt, bootTime, crashes }) => ({
      name: wanted.name,
      state,
      startedAt,
      bootTime,
      crashes,
    }));
    const reason = supervised.find(({ verdict }) => verdict !== null)?.verdict ?? null;
    const healthy = processes.every(({ state }) => state === 'running');
    const state = reason !== null ? 'unhealthy' : healthy ? 'healthy' : 'starting';
    return { state, processes, reason };
  }

  backends(app: string): Backend[] {
    return [...(this.#apps.get(app)?.processes.values() ?? [])].flatMap(({ port, wanted }) =>
      port === null ? [] : { host: '127.0.0.1', port, name: wanted.name },
    );
  }

  async logs(place: Place, lines: number, of?: readonly string[]): Promise<LogLines> {
    const { logBook, processes } = this.#keep(place);
    await logBook.collect(processes.keys());
    return logBook.tail(lines, { of });
  }

  async logsAfter(place: Place, end: string, wait: number, of?: readonly string[]) {
    return this.#keep(place).logBook.after(end, wait, { of });
  }

  async note(place: Place, line: string): Promise<void> {
    await this.#keep(place).logBook.note(line);
  }

  async log(place: Place, name: string, lines: readonly string[]): Promise<void> {
    await this.#keep(place).logBook.add(name, lines);
  }

  async leave(): Promise<void> {
    clearInterval(this.#collecting);
    const all = [...this.#apps.values()].flatMap(({ processes }) => [...processes.values()]);
    await Promise.all(all.map((supervised) => supervised.leave()));
    this.#apps.clear();
  }

  /** Ends what runs, known or left by an earlier agent, side by side. */
  async #stopAll(place: Place, which: (name: string) => boolean, grace?: number): Promise<void> {
    const { processes, logBook } = this.#keep(place);
    const names = new Set([...processes.keys(), ...(await recordedProcesses(place))]);
    await Promise.all(
      [...names].filter(which).map(async (name) => {
        const supervised = processes.get(name) ?? this.#supervise(unknown(place.app, name), place);
        await supervised.stop(grace);
        processes.delete(name);
        await logBook.collect([name]);
      }),
    );
  }

  #supervise(wanted: Wanted, place: Place): Supervised {
    return new Supervised(wanted, {
      folder: processFolder(place),
      logBook: this.#keep(place).logBook,
      patience: this.#patience,
      changed: () => this.#changed(place.app),
    });
  }

  #keep({ app, folder }: Place): Kept {
    const kept = this.#apps.get(app) ?? {
      processes: new Map(),
      logBook: new LogBook(join(folder, 'logs')),
    };
    this.#apps.set(app, kept);
    return kept;
  }

  async #collect(): Promise<void> {
    for (const { logBook, processes } of this.#apps.values()) {
      await logBook.collect(processes.keys()).catch((error) => {
        this.#logger.warn({ err: error }, `cannot collect logs: ${messageOf(error)}`);
      });
    }
  }
}

const processFolder = ({ folder }: Place) => join(folder, 'processes');

/** `web` for `web-1`. */
const typeOf = (name: string) => name.replace(/-\d+$/, '');

/** Names of the processes that an agent started and did not end. */
async function recordedProcesses(place: Place): Promise<string[]> {
  const files = await jsonFilesIn(processFolder(place));
  return files.map((file) => basename(file, '.json'));
}

function wantedProcesses({ app, folder, build, commands, formation, environment }: Workload) {
  if (build === null) return [];
  const account = appAccount(folder);
  return formation.flatMap(({ name: type, amount }): Wanted[] => {
    const command = Object.hasOwn(commands, type) ? commands[type] : undefined;
    if (command === undefined) return [];
    return Array.from({ length: amount }, (_, index) => ({
      app,
      name: `${type}-${index + 1}`,
      command,
      build,
      environment,
      isWeb: type === 'web',
      account,
    }));
  });
}

/** Enough to end what an earlier agent started. */
function unknown(app: string, name: string): Wanted {
  return { app, name, command: '', build: '/', environment: {}, isWeb: false, account: null };
}
