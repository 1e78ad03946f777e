import { Refusal } from '../../../shared/errors.js';
import type { Info } from './info.js';

/**
 * A point in a history of writes: the replication id and offset of Redis (its documentation,
 * "Replication"). Followers share them with their primary.
 */
export interface RedisPosition {
  readonly history: string;
  readonly offset: bigint;
}

export function formatPosition({ history, offset }: RedisPosition): string {
  return `${history}:${offset}`;
}

/** @throws Refusal `invalid` when it is none */
export function parsePosition(text: string): RedisPosition {
  const [, history, offset] = /^([0-9a-f]{40}):(\d{1,19})$/.exec(text) ?? [];
  if (history === undefined || offset === undefined) {
    throw Refusal.invalid('position', `"${text}" is not a position of a Redis.`);
  }
  return { history, offset: BigInt(offset) };
}

/** Where a primary's history ends now, or how far a follower has come. */
export function positionOf(seen: Info): RedisPosition {
  const offset = seen.role === 'master' ? seen.master_repl_offset : seen.slave_repl_offset;
  return { history: seen.master_replid, offset };
}

/** Whether all writes up to the position are in these data. */
export function hasReached(seen: Info, wanted: RedisPosition): boolean {
  if (seen.loading) return false;
  const now = positionOf(seen);
  if (now.history === wanted.history) return now.offset >= wanted.offset;
  // What was promoted remembers the history that it has left, and the first offset that it lacks.
  return seen.master_replid2 === wanted.history && seen.second_repl_offset > wanted.offset;
}
