import { statfs } from 'node:fs/promises';

/** How large a disk is, and what of it is free to us; in bytes. */
export interface Disk {
  readonly size: number;
  readonly free: number;
}

/** The disk that a folder is on. */
export async function diskOf(folder: string): Promise<Disk> {
  const { blocks, bavail, bsize } = await statfs(folder);
  return { size: blocks * bsize, free: bavail * bsize };
}

/** Errors of a disk, or a share of it, that is full; the last one is PostgreSQL's, `disk_full`. */
const codes = ['ENOSPC', 'EDQUOT', '53100'];

/** What programs say of it. */
const words = 'No space left on device';

/** Whether something failed since a disk was full. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('code' in error && codes.includes(String(error.code))) return true;
  return error.message.includes(words) || isDiskFull(error.cause);
}

/** What may fail for want of room: what follows makes some. */
export function unlessDiskFull(error: unknown): void {
  if (!isDiskFull(error)) throw error;
}

/**
 * Does something once it is written down that it is meant. On a disk that is full it is written down afterwards: what
 * is done has to make room.
 */
export async function noteThen(note: () => Promise<void>, act: () => Promise<void>): Promise<void> {
  const isNoted = await note().then(
    () => true,
    (error) => {
      unlessDiskFull(error);
      return false;
    },
  );
  await act();
  if (!isNoted) await note();
}
