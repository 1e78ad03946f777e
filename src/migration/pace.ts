/** Over how long a pace is measured, in milliseconds. */
const span = 2_000;

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
