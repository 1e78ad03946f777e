import type { Logger } from '../../shared/logging.js';
import { HostPressure, Suffering } from './pressure.js';

/** Where it begins to be slowed down, and how far that goes; in bytes a second. */
const [fastest, slowest] = [256 * 1024 * 1024, 4 * 1024 * 1024];

/** How often it is looked at, in milliseconds. */
const rounds = 1_000;

/** How much more is tried each time that nobody suffers. */
const growth = 1.25;

/**
 * The rate after the next look: half of it while apps suffer, then a quarter more each time, until there is no limit.
 * Never so slow that a copy would not come to its end.
 */
export function nextRate(rate: number | null, suffers: boolean | null): number | null {
  if (suffers === null) return rate;
  if (suffers) return Math.max(slowest, (rate ?? 2 * fastest) / 2);
  return rate === null || rate * growth > fastest ? null : Math.round(rate * growth);
}

export interface CopyRateParts {
  /** What the operator allows at most, in bytes a second; null for any. */
  readonly most: number | null;
  /** What the apps have answered, and what that took in all, in milliseconds. */
  readonly answers: () => { readonly answered: number; readonly took: number };
  readonly logger: Logger;
}

/** How fast each copy of a database of this region may be made: slower while its apps suffer from it. */
export class CopyRate {
  readonly #parts: CopyRateParts;
  readonly #host = new HostPressure();
  readonly #suffering = new Suffering();
  #round: NodeJS.Timeout | undefined;
  /** As far as the apps are concerned. */
  #bearable: number | null = null;

  constructor(parts: CopyRateParts) {
    this.#parts = parts;
  }

  /** In bytes a second; null when there is no limit. */
  readonly now = (): number | null => {
    const { most } = this.#parts;
    if (most === null || this.#bearable === null) return most ?? this.#bearable;
    return Math.min(most, this.#bearable);
  };

  /** Goes on looking until {@link end}. */
  begin(): void {
    this.#round = setInterval(() => {
      this.#look().catch((error) => {
        this.#parts.logger.warn({ err: error }, 'nobody knows how this host does');
      });
    }, rounds);
  }

  end(): void {
    clearInterval(this.#round);
  }

  async #look(): Promise<void> {
    const stalled = await this.#host.stalled();
    const sight = { at: performance.now(), stalled, ...this.#parts.answers() };
    this.#bearable = nextRate(this.#bearable, this.#suffering.judge(sight));
  }
}
