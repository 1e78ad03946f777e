import { messageOf } from '../shared/errors.js';

/**
 * Does the same for each, side by side, and returns when all have come to an end: one that fails stops
 * none of the others.
 * @throws what the one that failed threw; when several did, an error that tells what all of them said
 */
export async function sideBySide<T, R>(
  each: readonly T[],
  work: (one: T) => Promise<R>,
): Promise<R[]> {
  const ends = await Promise.allSettled(each.map(work));
  const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (reasons.length === 1) throw reasons[0];
  if (reasons.length > 1) throw new AggregateError(reasons, reasons.map(messageOf).join(' '));
  return ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
}
