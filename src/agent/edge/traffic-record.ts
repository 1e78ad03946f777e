import type { TrafficSecond } from '../../region/model.js';
import { Durations } from './durations.js';

/** How far back it goes, in milliseconds. */
const span = 120_000;

/** One answered request, as it was counted. */
export interface Counted {
  /** Its answer has been broken off. */
  fail(): void;
}

type Second = { -readonly [K in keyof TrafficSecond]: TrafficSecond[K] };

/** How many requests an app's clients were answered each second, and how long they had waited. */
export class TrafficRecord {
  /** Oldest first; the last may be going on, and is not summed up yet. */
  readonly #seconds: Second[] = [];
  /** Of the last second. */
  readonly #durations = new Durations();

  /** Counts a request that is being answered now, after `duration` ms. */
  add(duration: number, { failed }: { failed: boolean }): Counted {
    const second = this.#now();
    second.requests += 1;
    this.#durations.add(duration);
    let hasFailed = false;
    const fail = () => {
      if (!hasFailed) second.failed += 1;
      hasFailed = true;
    };
    if (failed) fail();
    return { fail };
  }

  /** The last two minutes, oldest first, without seconds in which nobody was answered. */
  report(): TrafficSecond[] {
    this.#sumUp();
    const since = Date.now() - span;
    return this.#seconds.filter(({ at }) => at >= since).map((second) => ({ ...second }));
  }

  #now(): Second {
    const now = Date.now();
    const at = now - (now % 1_000);
    const last = this.#seconds.at(-1);
    if (last?.at === at) return last;
    this.#sumUp();
    this.#durations.forget();
    while ((this.#seconds[0]?.at ?? now) < at - span) this.#seconds.shift();
    const second = { at, requests: 0, failed: 0, median: 0, longest: 0 };
    this.#seconds.push(second);
    return second;
  }

  #sumUp(): void {
    const last = this.#seconds.at(-1);
    if (!last) return;
    last.median = this.#durations.percentile(50);
    last.longest = this.#durations.longest;
  }
}
