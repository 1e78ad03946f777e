import pRetry, { AbortError } from 'p-retry';
import type { CopyProgress } from '../../shared/copy-progress.js';
import { messageOf } from '../../shared/errors.js';

/** Copies from the beginning; the copy is whole when it returns. */
export type Copy = (
  signal: AbortSignal,
  onProgress: (progress: CopyProgress) => void,
) => Promise<void>;

/** A copy in the background, tried again a few times when it breaks off. */
export class Copying {
  progress: CopyProgress = { copied: 0, total: 0 };
  /** Why it was given up; null while it goes on, and once it is whole. */
  failure: unknown = null;
  isUnderWay = true;
  /** Resolves when nothing of it goes on any more, whatever it came to. */
  readonly ended: Promise<void>;
  readonly #cancel = new AbortController();

  /** @param isRefusedForGood whether trying again would not help */
  constructor(copy: Copy, isRefusedForGood: (error: unknown) => boolean) {
    const { signal } = this.#cancel;
    const attempt = () =>
      copy(signal, (progress) => {
        this.progress = progress;
      }).catch((error) => {
        throw isRefusedForGood(error) ? new AbortError(messageOf(error)) : error;
      });
    this.ended = pRetry(attempt, { retries: 10, minTimeout: 200, maxTimeout: 5_000, signal })
      .catch((error) => {
        if (!signal.aborted) this.failure = error;
      })
      .finally(() => {
        this.isUnderWay = false;
      });
  }

  /** Returns when nothing of it goes on any more. */
  async giveUp(): Promise<void> {
    this.#cancel.abort(new Error('The copy was given up.'));
    await this.ended;
  }
}
