import pRetry, { AbortError } from 'p-retry';
import pg from 'pg';
import type { CopyProgress } from '../../../postgresql/base-backup.js';
import { messageOf, Refusal } from '../../../shared/errors.js';
import type { Logger } from '../../../shared/logging.js';

/** A copy in the background, tried again a few times when it breaks off. */
export class Copying {
  /** In bytes. */
  progress: CopyProgress = { copied: 0, total: 0 };
  /** Why it was given up; null while it goes on, and once it is whole. */
  failure: unknown = null;
  isUnderWay = true;
  readonly #cancel = new AbortController();
  readonly #ended: Promise<void>;

  /** @param copy copies from the beginning; the copy is whole when it returns */
  constructor(
    copy: (signal: AbortSignal, onProgress: (progress: CopyProgress) => void) => Promise<void>,
    logger: Logger,
  ) {
    const { signal } = this.#cancel;
    const attempt = () =>
      copy(signal, (progress) => {
        this.progress = progress;
      }).catch((error) => {
        if (!signal.aborted) logger.warn({ err: error }, 'a copy broke off');
        throw isRefusedForGood(error) ? new AbortError(messageOf(error)) : error;
      });
    this.#ended = pRetry(attempt, { retries: 10, minTimeout: 200, maxTimeout: 5_000, signal })
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
    await this.#ended;
  }
}

/** The classes of SQLSTATE that trying again does not change: wrong credentials, features, syntax. */
export function isRefusedForGood(error: unknown): boolean {
  if (error instanceof Refusal) return error.kind === 'conflict';
  if (error instanceof pg.DatabaseError) return /^(28|0A|42)/.test(error.code ?? '');
  return error instanceof Error && error.cause !== undefined && isRefusedForGood(error.cause);
}
