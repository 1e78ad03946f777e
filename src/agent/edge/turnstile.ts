import { Semaphore } from 'async-mutex';

/** How many connections to one target may be under way at once; those that are there do not count. */
const atOnce = 64;

/**
 * Lets requests connect to each target a few at a time, in order of arrival. Thousands that come out of a hold
 * together would fill the queue of a listening socket, whose kernel then ignores the rest of them.
 */
export class Turnstile<Target extends { readonly host: string; readonly port: number }> {
  readonly #gates = new Map<string, Semaphore>();

  /** Waits for a turn. @returns to be called when the connection is there, or will not be; once or more often */
  async turn({ host, port }: Target): Promise<() => void> {
    const key = `${host}:${port}`;
    const gate = this.#gates.get(key) ?? new Semaphore(atOnce);
    this.#gates.set(key, gate);
    const [, release] = await gate.acquire();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      release();
      // Who waits here knows the gate; who comes later may find another.
      if (gate.getValue() === atOnce && this.#gates.get(key) === gate) this.#gates.delete(key);
    };
  }
}
