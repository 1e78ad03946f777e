/**
 * An outage is over when nothing has been missed for so long, in milliseconds. Longer than it takes to
 * find that there is no answer, and to ask again: in silence, that is 15 seconds.
 */
const forgottenAfter = 20_000;

/** For how long somebody has not been reached, whoever of those that share this tried. */
export class Outage {
  #since: number | null = null;
  #last = 0;

  /** Notes that they were not reached. @returns for how long that is so, in milliseconds */
  missed(): number {
    const now = Date.now();
    if (this.#since === null || now - this.#last > forgottenAfter) this.#since = now;
    this.#last = now;
    return now - this.#since;
  }

  /** Notes that they were reached. */
  over(): void {
    this.#since = null;
  }
}
