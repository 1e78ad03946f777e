/** How often it is asked, and after how long an answer is not waited for any more; in milliseconds. */
const usual = { every: 5_000, patience: 10_000 };

/** Somebody has not answered although they were asked whether they are there. */
export class Silence extends Error {
  readonly code = 'ETIMEDOUT';
}

/**
 * Tells whether somebody is still there while an answer of theirs is waited for, however long that
 * takes: a connection says nothing of a line that was cut, or of a host that is gone. It is asked for all
 * who wait together.
 */
export class Pulse {
  readonly #ask: (signal: AbortSignal) => Promise<unknown>;
  readonly #pace: typeof usual;
  readonly #waiting = new Set<AbortController>();
  #next: NodeJS.Timeout | null = null;

  /** @param ask fails when there is no answer */
  constructor(ask: (signal: AbortSignal) => Promise<unknown>, pace = usual) {
    this.#ask = ask;
    this.#pace = pace;
  }

  /**
   * Has something be done for as long as they are there.
   * @param work to be given up when `signal` fires, with a {@link Silence}
   */
  async during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const silence = new AbortController();
    this.#waiting.add(silence);
    this.#next ??= this.#later();
    try {
      return await work(silence.signal);
    } finally {
      this.#waiting.delete(silence);
    }
  }

  #later(): NodeJS.Timeout {
    return setTimeout(() => void this.#beat(), this.#pace.every).unref();
  }

  async #beat(): Promise<void> {
    const asked = [...this.#waiting];
    if (asked.length === 0) {
      this.#next = null;
      return;
    }
    try {
      await this.#ask(AbortSignal.timeout(this.#pace.patience));
    } catch {
      for (const one of asked) one.abort(new Silence('There was no sign of life.'));
    }
    this.#next = this.#later();
  }
}
