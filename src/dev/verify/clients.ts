import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Door } from './door.js';
import type { Attempted } from './entry.js';
import { Line, newContent, type Outcome } from './line.js';
import { type Failure, type Kind, type KindReport, kinds, Memory } from './memory.js';

export interface ClientsReport {
  readonly kinds: readonly KindReport[];
  readonly attempted: readonly Attempted[];
  readonly failures: readonly Failure[];
}

/** Before a client asks again whose connection broke, or could not be made; in milliseconds. */
const again = 50;

/**
 * Clients that each write one entry after the other and read it back. They know nothing of a migration: whatever
 * is not as it should be counts as a failure. An entry is sent again only when nobody
 * said what became of it.
 */
export class Clients {
  readonly #memory = new Memory();
  readonly #door: Door;
  readonly #names: readonly { kind: Kind; client: string }[];
  readonly #pause: number;
  readonly #stopping = new AbortController();
  #work: Promise<unknown> = Promise.resolve();

  /**
   * @param how.count of clients; the kinds take turns
   * @param how.group in the names of the clients, which must be no others'
   * @param how.pause between two entries of a client, in milliseconds
   */
  constructor(door: Door, { count = 8, group = 'client', pause = 50 } = {}) {
    this.#door = door;
    this.#pause = pause;
    this.#names = Array.from({ length: count }, (_, index) => {
      const kind = kinds[index % kinds.length] ?? 'post';
      return { kind, client: `${group}-${kind}-${Math.floor(index / kinds.length) + 1}` };
    });
  }

  start(): void {
    this.#work = Promise.all(this.#names.map(({ kind, client }) => this.#live(kind, client)));
  }

  /** Lets every client come to the end of what it is doing. */
  async stop(): Promise<ClientsReport> {
    this.#stopping.abort();
    await this.#work;
    return {
      kinds: this.#memory.report(),
      attempted: this.#memory.attempts,
      failures: this.#memory.failures,
    };
  }

  async #live(kind: Kind, client: string): Promise<void> {
    const line = new Line(this.#door);
    let after: number | null = null;
    try {
      for (let number = 1; !this.#stopping.signal.aborted; number += 1) {
        if (await this.#write(line, kind, { client, number, after })) {
          after = number;
          await this.#readBack(line, kind, { client, number });
        }
        await sleep(this.#pause);
      }
    } finally {
      await line.close();
    }
  }

  /** @returns whether it was acknowledged */
  async #write(
    line: Line,
    kind: Kind,
    entry: { client: string; number: number; after: number | null },
  ): Promise<boolean> {
    const content = kind === 'upload' ? newContent() : null;
    const attempt = this.#memory.begin({ ...entry, kind, digest: content?.digest ?? null });
    const outcome = await this.#persist(kind, entry.client, async () => {
      const outcome = await line.write(kind, { ...entry, content });
      if (outcome.how !== 'done' && outcome.how !== 'away') attempt.unanswered += 1;
      return outcome;
    });
    attempt.acknowledged = outcome.how === 'done';
    return attempt.acknowledged;
  }

  /** What was acknowledged is there to be read, at once and by whoever serves. */
  async #readBack(line: Line, kind: Kind, { client, number }: { client: string; number: number }) {
    const outcome = await this.#persist(kind, client, () => line.last(client));
    if (outcome.how === 'done' && outcome.last < number) {
      const what = `${number} was acknowledged, and then ${outcome.last} was the last`;
      this.#memory.failed(kind, { at: Date.now(), client, how: 'stale', what });
    }
  }

  /** Asks until there is an answer of any kind, or the clients are to stop. */
  async #persist<T extends Outcome>(kind: Kind, client: string, ask: () => Promise<T>): Promise<T> {
    const begun = performance.now();
    for (;;) {
      const outcome: Outcome & T = await ask();
      if (outcome.how !== 'announced' && outcome.how !== 'done') {
        const how = outcome.how === 'refused' ? 'status' : outcome.how;
        const { what, at = Date.now() } = outcome;
        this.#memory.failed(kind, { at, client, how, what });
      }
      const isOver = outcome.how === 'done' || outcome.how === 'refused';
      if (isOver || this.#stopping.signal.aborted) {
        this.#memory.waited(kind, performance.now() - begun);
        return outcome;
      }
      if (outcome.how !== 'announced') await sleep(again);
    }
  }
}
