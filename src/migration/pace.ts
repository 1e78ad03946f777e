import type { Amount, Progress } from './migration.js';

/** Over how long a pace is measured, in milliseconds. */
const span = 2_000;

/** How fast each of several things goes, and all of them together. */
export class Paces {
  readonly #all = new Pace();
  readonly #each = new Map<string, Pace>();

  /** Notes how much of each is done by now. */
  note(amounts: ReadonlyMap<string, Amount>): Progress {
    const databases = [...amounts].map(([name, { done, total }]) => {
      const pace = this.#each.get(name) ?? new Pace();
      this.#each.set(name, pace);
      return { name, done, total, rate: pace.note(done) };
    });
    const done = databases.reduce((sum, one) => sum + one.done, 0);
    const total = databases.reduce((sum, one) => sum + one.total, 0);
    return { done, total, rate: this.#all.note(done), databases };
  }
}

/** How fast something goes lately. */
export class Pace {
  readonly #marks: { readonly at: number; readonly done: number }[] = [];

  /** Notes how much is done by now. @returns how much a second is done, lately; 0 at first */
  note(done: number, now = performance.now()): number {
    const marks = this.#marks;
    if (done < (marks.at(-1)?.done ?? 0)) marks.length = 0; // it began anew
    marks.push({ at: now, done });
    while (marks.length > 2 && now - (marks[1]?.at ?? now) >= span) marks.shift();
    const [first] = marks;
    if (!first || now <= first.at) return 0;
    return Math.round(((done - first.done) * 1_000) / (now - first.at));
  }
}
