import { performance } from 'node:perf_hooks';
import { Semaphore } from 'async-mutex';

/** How many connections to one target may be under way at once; those that are there do not count. */
const atOnce = 64;

/** Leave to connect to a target now. */
export interface Turn {
  /** For how much of the wait for this turn nobody reached the target, in milliseconds. */
  readonly stalled: number;
  /** To be called when the connection is there, or will not be; the first call counts. */
  readonly settle: (isThere: boolean) => void;
}

interface Gate {
  readonly free: Semaphore;
  /** When the target was last reached. */
  reachedAt: number;
}

/**
 * Lets requests connect to each target a few at a time, in order of arrival. Thousands that come out of a hold
 * together would fill the queue of a listening socket, whose kernel then ignores the rest of them.
 */
export class Turnstile<Target extends { readonly host: string; readonly port: number }> {
  readonly #gates = new Map<string, Gate>();

  /** Whether a turn can be had at once. */
  isOpen(target: Target): boolean {
    return !this.#gates.get(keyOf(target))?.free.isLocked();
  }

  /** Waits for a turn. */
  async turn(target: Target): Promise<Turn> {
    const key = keyOf(target);
    const gate = this.#gates.get(key) ?? {
      free: new Semaphore(atOnce),
      reachedAt: Number.NEGATIVE_INFINITY,
    };
    this.#gates.set(key, gate);
    const asked = performance.now();
    const [, release] = await gate.free.acquire();
    let isSettled = false;
    return {
      stalled: Math.max(0, performance.now() - Math.max(asked, gate.reachedAt)),
      settle: (isThere) => {
        if (isSettled) return;
        isSettled = true;
        if (isThere) gate.reachedAt = performance.now();
        release();
        if (gate.free.getValue() === atOnce) this.#gates.delete(key); // nobody connects or waits
      },
    };
  }
}

function keyOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}
