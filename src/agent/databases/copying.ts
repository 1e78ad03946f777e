import pRetry, { AbortError } from 'p-retry';
import { bytes } from '../../shared/bytes.js';
import type { CopyProgress } from '../../shared/copy-progress.js';
import { diskOf, isDiskFull } from '../../shared/disk.js';
import { messageOf } from '../../shared/errors.js';

/** Copies from the beginning; the copy is whole when it returns. */
export type Copy = (
  signal: AbortSignal,
  onProgress: (progress: CopyProgress) => void,
) => Promise<void>;

export interface CopyingParts {
  /** Where the copy goes. */
  readonly folder: string;
  /** Whether trying again would not help. */
  isRefusedForGood(error: unknown): boolean;
  /** Removes what of a copy is there. */
  discard(): Promise<void>;
}

/** With less than this, a program failed for want of room that told nobody but its log. In bytes. */
const noRoom = 1024 * 1024;

/** A copy in the background, tried again a few times when it breaks off. */
export class Copying {
  progress: CopyProgress = { copied: 0, total: 0 };
  /** Why it was given up; null while it goes on, and once it is whole. */
  failure: unknown = null;
  isUnderWay = true;
  /** Resolves when nothing of it goes on any more, whatever it came to. */
  readonly ended: Promise<void>;
  readonly #cancel = new AbortController();
  readonly #parts: CopyingParts;

  constructor(copy: Copy, parts: CopyingParts) {
    this.#parts = parts;
    const { signal } = this.#cancel;
    const attempt = () =>
      copy(signal, (progress) => {
        this.progress = progress;
      }).catch(async (error) => {
        if (!signal.aborted && (await this.#lacksRoom(error))) await this.#makeRoom();
        throw parts.isRefusedForGood(error) ? new AbortError(messageOf(error)) : error;
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

  async #lacksRoom(error: unknown): Promise<boolean> {
    return isDiskFull(error) || (await diskOf(this.#parts.folder)).free < noRoom;
  }

  /** Others need the disk, too: nothing stays there of a copy that has no room. @throws what there is to know of it */
  async #makeRoom(): Promise<never> {
    await this.#parts.discard();
    throw new AbortError(await noRoomFor(this.progress.total, this.#parts.folder));
  }
}

/** Why a copy is given up that has no room, once it has been removed. @param size of the copy, about */
export async function noRoomFor(size: number, folder: string): Promise<string> {
  const disk = await diskOf(folder);
  return `The disk that the region has its databases on is full (ENOSPC). Of its ${bytes(disk.size)}, ${bytes(disk.free)} are free now that the copy, of about ${bytes(size)}, has been removed. Make room there, then run the phase again.`;
}
