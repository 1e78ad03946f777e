import { performance } from 'node:perf_hooks';
import { Durations } from './durations.js';

/** What came of the requests for an app since its last hold began. */
export class HoldRecord {
  readonly #begun: number | null;
  readonly #waits = new Durations();
  #holding = 0;
  #held = 0;
  #refused = 0;
  #closed = 0;
  #expired = 0;
  #drained: number | null = null;

  /** @param isHold whether it begins with a hold; otherwise there has been none */
  constructor({ isHold }: { isHold: boolean }) {
    this.#begun = isHold ? performance.now() : null;
  }

  /** A request that came at `since` (of `performance.now()`) is held. @returns to be called when it no longer is */
  wait(since: number): () => void {
    this.#held += 1;
    this.#holding += 1;
    return () => {
      this.#holding -= 1;
      this.#waits.add(performance.now() - since);
    };
  }

  /** A request found no room to wait. */
  refuse(): void {
    this.#refused += 1;
  }

  /** A long-lived connection was ended. */
  close(): void {
    this.#closed += 1;
  }

  /** A request that had waited found no process after the hold had ended. */
  expire(): void {
    this.#expired += 1;
  }

  /** The app has answered what it had been passed before. */
  drain(): void {
    if (this.#begun !== null) this.#drained ??= Math.round(performance.now() - this.#begun);
  }

  report() {
    return {
      holding: this.#holding,
      held: this.#held,
      longestWait: Math.round(this.#waits.longest),
      waits: { p50: this.#waits.percentile(50), p99: this.#waits.percentile(99) },
      expired: this.#expired,
      refused: this.#refused,
      closed: this.#closed,
      drained: this.#drained,
    };
  }
}
