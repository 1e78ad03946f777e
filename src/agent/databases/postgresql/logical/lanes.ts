import { setMaxListeners } from 'node:events';

/** How much is done side by side. */
const lanes = 4;

/**
 * Does something for each item in turn, in several lanes side by side. What goes wrong with one
 * ends all.
 * @param lane takes items from `next` until there are none
 * @returns when every lane has ended, also when one of them failed
 */
export async function inLanes<T>(
  items: readonly T[],
  lane: (next: () => T | undefined, signal: AbortSignal) => Promise<void>,
  outer: AbortSignal,
): Promise<void> {
  const queue = [...items];
  const failed = new AbortController();
  const signal = AbortSignal.any([outer, failed.signal]);
  setMaxListeners(0, signal); // each lane has a few
  const all = Array.from({ length: Math.min(lanes, items.length) }, () =>
    lane(() => queue.shift(), signal).catch((error) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(all);
  // What went wrong first, rather than how the others were ended by it.
  failed.signal.throwIfAborted();
}
