import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';

export interface TrafficReport {
  readonly sent: number;
  readonly failed: number;
  /** The longest that a client waited for an answer, in milliseconds. */
  readonly longestWait: number;
  /** Writes that were acknowledged, by their client and number. */
  readonly acknowledged: readonly { readonly client: string; readonly number: number }[];
  /** What the first failures were, for people. */
  readonly failures: readonly string[];
}

/** Clients that write and clients that read, each one request after the other. */
const [writers, readers] = [4, 4];

const places = ['Wadden Sea', 'Yalu Jiang', 'Miranda'];

/** Steady reads and writes, by clients that know nothing of a migration. */
export class Traffic {
  readonly #pool: Pool;
  readonly #host: string;
  readonly #group: string;
  readonly #pause: number;
  readonly #stopping = new AbortController();
  readonly #acknowledged: { client: string; number: number }[] = [];
  readonly #failures: string[] = [];
  #clients: Promise<unknown> = Promise.resolve();
  #sent = 0;
  #failed = 0;
  #longestWait = 0;

  /**
   * @param edge such as `http://127.0.0.1:8080`
   * @param how.group of the clients, in their names
   * @param how.pause between two requests of one client, in milliseconds
   */
  constructor(edge: string, host: string, { group = 'demo', pause = 40 } = {}) {
    this.#pool = new Pool(edge, { connections: writers + readers, headersTimeout: 120_000 });
    this.#host = host;
    this.#group = group;
    this.#pause = pause;
  }

  start(): void {
    const names = (kind: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${this.#group}-${kind}-${index + 1}`);
    this.#clients = Promise.all([
      ...names('writer', writers).map((client) => this.#write(client)),
      ...names('reader', readers).map((_, index) => this.#read(index)),
    ]);
  }

  /** Lets every client finish what it is doing. */
  async stop(): Promise<TrafficReport> {
    this.#stopping.abort();
    await this.#clients;
    await this.#pool.close();
    return {
      sent: this.#sent,
      failed: this.#failed,
      longestWait: Math.round(this.#longestWait),
      acknowledged: this.#acknowledged,
      failures: this.#failures,
    };
  }

  async #write(client: string): Promise<void> {
    for (let number = 1; !this.#stopping.signal.aborted; number += 1) {
      const sighting = {
        client,
        number,
        species: 1 + (number % 10),
        place: places[number % places.length],
        birds: 1 + (number % 50),
      };
      const done = await this.#ask('POST', '/api/sightings', JSON.stringify(sighting));
      if (done) this.#acknowledged.push({ client, number });
      await sleep(this.#pause);
    }
  }

  async #read(index: number): Promise<void> {
    const paths = ['/', '/api/sightings?limit=20', '/api/sightings?after=1000&limit=20'];
    for (let turn = index; !this.#stopping.signal.aborted; turn += 1) {
      await this.#ask('GET', paths[turn % paths.length] ?? '/', null);
      await sleep(this.#pause);
    }
  }

  /** @returns whether the application did what was asked */
  async #ask(method: 'GET' | 'POST', path: string, body: string | null): Promise<boolean> {
    const begun = performance.now();
    this.#sent += 1;
    try {
      const answer = await this.#pool.request({
        method,
        path,
        body,
        headers: { host: this.#host, 'content-type': 'application/json' },
      });
      const text = await answer.body.text();
      if (answer.statusCode < 300) return true;
      throw new Error(`${answer.statusCode} ${text.slice(0, 200)}`);
    } catch (error) {
      this.#failed += 1;
      if (this.#failures.length < 5) this.#failures.push(`${method} ${path}: ${error}`);
      return false;
    } finally {
      this.#longestWait = Math.max(this.#longestWait, performance.now() - begun);
    }
  }
}
