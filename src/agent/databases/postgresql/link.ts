import type { CopyProgress } from '../../../shared/copy-progress.js';

/** How a follower is made from its primary, kept like it, and takes its place. */
export interface Link {
  /** Copies from the beginning, wiping what was there; then it is whole, and follows. */
  copy(onProgress: (progress: CopyProgress) => void, signal: AbortSignal): Promise<void>;
  /** Removes what of a copy is there, if another could be made. */
  discard(): Promise<void>;
  /** Whether the primary still has all that the follower has not had yet. */
  isKept(): Promise<boolean>;
  /** Why it cannot go on, however often it tries; null when nothing keeps it from that. */
  stuckOn(): Promise<string | null>;
  /** Bytes of history still to replay; null while that is not known. */
  lag(): Promise<number | null>;
  /** @throws when it has not come to that position within `timeout` ms */
  waitFor(position: string, timeout: number): Promise<void>;
  /** Makes the follower a primary, which it is once the record says so. */
  promote(signal?: AbortSignal): Promise<void>;
  /** Makes what was a fenced primary follow, once the record says so. */
  followBack(): Promise<void>;
}
