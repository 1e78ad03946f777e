import type { Following } from '../../region/model.js';
import { databasePairs } from '../databases.js';
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

/** Does something during which databases may be copied, and tells how far that is. */
export async function watchingCopies(
  context: StepContext,
  way: Way,
  work: () => Promise<unknown>,
): Promise<void> {
  const to = way.to(context);
  const copies = new Copies(context);
  const pairs = await databasePairs(context);
  const watch = setInterval(async () => {
    for (const pair of pairs) {
      // Whether the copy itself goes well, `work` hears.
      const state = await to.region.following({ database: to.database(pair) }).catch(() => null);
      if (state?.stage === 'copying') copies.see(pair.name, state);
    }
  }, everySoOften);
  try {
    await work();
  } finally {
    clearInterval(watch);
  }
}
