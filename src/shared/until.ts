import { setTimeout as sleep } from 'node:timers/promises';

/** How long and how often {@link until} looks. Times in milliseconds. */
export interface UntilOptions {
  readonly timeout: number;
  readonly every?: number;
  readonly signal?: AbortSignal | undefined;
  /** What is waited for, as it reads after "timed out waiting for". */
  readonly what: string;
}

/**
 * Looks again and again until `look` gives something other than null, undefined or false.
 * @throws after `timeout` ms, naming `what`; when `signal` fires; when `look` throws
 */
export async function until<T>(
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  { timeout, every = 50, signal, what }: UntilOptions,
): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    signal?.throwIfAborted();
    const seen = await look();
    if (seen !== null && seen !== undefined && seen !== false) return seen;
    if (Date.now() >= deadline)
      throw new Error(`timed out after ${timeout} ms waiting for ${what}`);
    await sleep(every, undefined, signal ? { signal } : {});
  }
}
