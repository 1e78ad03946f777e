import type { Logger } from '../../shared/logging.js';
import { hostname, type Provenance } from './provenance.js';

/** A request that is over, as its line in the log tells of it. */
export interface Finished {
  readonly method: string;
  readonly url: string;
  readonly provenance: Provenance;
  /** The process that it went to; null when to none. */
  readonly container: string | null;
  /** 499 when the client gave up before it was answered. */
  readonly status: number;
  /** Of the content that it was answered. */
  readonly bytes: number;
  /** In milliseconds, beginning when it came to this edge. */
  readonly duration: number;
}

/** The line for one request. Headers, which hold secrets, are not in it. */
export function logLine(finished: Finished): string {
  const { method, url, provenance, container, status, bytes, duration } = finished;
  const { host, requestId, address, scheme, version, held } = provenance;
  return [
    `method=${method} path=${JSON.stringify(url)} host=${JSON.stringify(hostname(host))}`,
    `request_id=${requestId} container=${container ?? '-'} from="${address}"`,
    `protocol=${scheme} version=${version} status=${status} duration=${seconds(duration)}`,
    `bytes=${bytes}`,
    ...(held > 0 ? [`held=${seconds(held)}`] : []),
  ].join(' ');
}

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(3)}s`;

/** How long lines are gathered before they are written, in milliseconds. */
const gathering = 250;
/** Lines of one app that may wait to be written. */
const most = 20_000;

type Write = (app: string, lines: readonly string[]) => Promise<void>;

interface Gathered {
  readonly lines: string[];
  /** Lines that found no place. */
  lost: number;
}

/** Gathers the lines of requests, so that many of them cost one write. */
export class RouterLog {
  readonly #write: Write;
  readonly #logger: Logger;
  readonly #gathered = new Map<string, Gathered>();
  #due: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  constructor(write: Write, logger: Logger) {
    this.#write = write;
    this.#logger = logger;
  }

  add(app: string, line: string): void {
    const gathered = this.#gathered.get(app) ?? { lines: [], lost: 0 };
    this.#gathered.set(app, gathered);
    if (gathered.lines.length < most) gathered.lines.push(line);
    else gathered.lost += 1;
    this.#due ??= setTimeout(() => this.flush(), gathering);
  }

  /** Leaves out what an app that is gone has not been written yet. */
  forget(app: string): void {
    this.#gathered.delete(app);
  }

  /** Writes what there is, after what is being written. */
  flush(): Promise<void> {
    if (this.#due) clearTimeout(this.#due);
    this.#due = null;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    const all = [...this.#gathered];
    this.#gathered.clear();
    for (const [app, { lines, lost }] of all) {
      if (lost > 0) lines.push(`${lost} requests more, too many to write down`);
      await this.#write(app, lines).catch((error) => {
        this.#logger.warn({ err: error, app }, 'cannot write the log of requests');
      });
    }
  }
}
