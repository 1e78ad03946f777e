import { createHistogram } from 'node:perf_hooks';

/** Counted in tenths of a millisecond, up to an hour; longer ones count as one. */
const resolution = 0.1;
const longest = 36_000_000;

/** How long many things took, in milliseconds; takes the same 20 KB however many they are. */
export class Durations {
  readonly #histogram = createHistogram({ lowest: 1, highest: longest, figures: 2 });
  #longest = 0;

  add(duration: number): void {
    this.#longest = Math.max(this.#longest, duration);
    const counted = Math.round(duration / resolution);
    this.#histogram.record(Math.min(Math.max(1, counted), longest));
  }

  get longest(): number {
    return toTenths(this.#longest);
  }

  /** By nearest rank, to one part in a hundred; 0 when there are none. */
  percentile(percent: number): number {
    if (this.#histogram.count === 0) return 0;
    return toTenths(Math.min(this.#histogram.percentile(percent) * resolution, this.#longest));
  }

  forget(): void {
    this.#histogram.reset();
    this.#longest = 0;
  }
}

function toTenths(duration: number): number {
  return Math.round(duration * 10) / 10;
}
