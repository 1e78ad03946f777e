import type { Following } from '../../region/model.js';
import type { DatabasePair } from '../databases.js';
import type { StepContext } from '../phase.js';
import type { Way } from './way.js';

/** How often copies are looked at while something else waits for them, in milliseconds. */
const everySoOften = 250;

/** How far the copies of an app's databases are, told as the progress of a step. */
export class Copies {
  readonly #context: StepContext;
  readonly #amounts = new Map<string, { done: number; total: number }>();

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** Notes how far one is, by its name. */
  see(name: string, { copied, total }: Following): void {
    this.#amounts.set(name, { done: copied, total: Math.max(total, copied) });
    this.#context.progress(this.#amounts);
  }
}

/**
 * Tells how far copies are that are made while something else waits for them. Whether they go well, whoever
 * waits hears.
 * @returns what ends it
 */
export function watchCopies(
  context: StepContext,
  way: Way,
  pairs: readonly DatabasePair[],
): () => void {
  const to = way.to(context);
  const copies = new Copies(context);
  let isLooking = false;
  const watch = setInterval(async () => {
    if (isLooking) return;
    isLooking = true;
    for (const pair of pairs) {
      const state = await to.region.following({ database: to.database(pair) }).catch(() => null);
      if (state?.stage === 'copying') copies.see(pair.name, state);
    }
    isLooking = false;
  }, everySoOften);
  return () => clearInterval(watch);
}
