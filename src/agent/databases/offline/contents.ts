/**
 * The contents of files, one after the other: whoever sends and whoever takes them both know which
 * files, in which order, and how large each is.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Semaphore } from 'async-mutex';
import type { Account } from '../../../shared/account.js';
import type { FileEntry } from './listing.js';

/** What is sent of a file. */
export type Content = Pick<FileEntry, 'path' | 'size'>;

/** How much is read or written at once, in bytes. */
const blockSize = 1024 * 1024;
const zeros = Buffer.alloc(blockSize);

/** How many files the disk is asked to keep at once. */
const keptAtOnce = 8;

/** @throws when a file is not as large as it should be */
export async function* readContents(
  folder: string,
  files: readonly Content[],
): AsyncGenerator<Buffer> {
  for (const { path, size } of files) {
    const file = await open(join(folder, path), 'r');
    try {
      let left = size;
      for (;;) {
        const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(blockSize));
        if (bytesRead > left || (bytesRead === 0 && left > 0)) {
          throw new Error(`${path} does not have the ${size} bytes that it had.`);
        }
        if (bytesRead === 0) break;
        left -= bytesRead;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }
}

/**
 * Writes files that are not there yet, and returns when the disk keeps them. Only then is one given the
 * time by which it is told to be the same as the sender's: one that was cut short never is.
 * @throws when there is less than all of them, or more
 */
export async function writeContents(
  source: AsyncIterable<Buffer>,
  folder: string,
  files: readonly FileEntry[],
  owner: Account | null,
): Promise<void> {
  const pieces = new Pieces(source);
  const disk = new Semaphore(keptAtOnce);
  const keeping: Promise<void>[] = [];
  try {
    for (const entry of files) {
      await disk.waitForUnlock();
      const file = await open(join(folder, entry.path), 'wx', 0o600);
      try {
        if (owner) await file.chown(owner.uid, owner.gid);
        await fill(file, pieces, entry.size);
      } catch (error) {
        await file.close();
        throw error;
      }
      keeping.push(disk.runExclusive(() => keep(file, entry)));
    }
    await pieces.end();
  } finally {
    await Promise.allSettled(keeping);
  }
  await Promise.all(keeping); // whoever failed says so
}

async function keep(file: FileHandle, { writtenAt }: FileEntry): Promise<void> {
  try {
    await file.sync();
    await file.utimes(writtenAt / 1_000, writtenAt / 1_000);
  } finally {
    await file.close();
  }
}

async function fill(file: FileHandle, pieces: Pieces, size: number): Promise<void> {
  for (let at = 0; at < size; ) {
    const block = await pieces.block(Math.min(blockSize, size - at));
    if (!isEmpty(block)) await write(file, block, at);
    at += lengthOf(block);
  }
  await file.truncate(size); // ends in what was left out, perhaps
}

/** Zeros are left out, as whoever reserved room in a file left them out. */
function isEmpty(block: readonly Buffer[]): boolean {
  return block.every((piece) => piece.equals(zeros.subarray(0, piece.length)));
}

async function write(file: FileHandle, block: readonly Buffer[], at: number): Promise<void> {
  const { bytesWritten } = await file.writev(block, at);
  if (bytesWritten === lengthOf(block)) return;
  await write(file, [Buffer.concat(block).subarray(bytesWritten)], at + bytesWritten);
}

function lengthOf(block: readonly Buffer[]): number {
  return block.reduce((sum, { length }) => sum + length, 0);
}

/** What comes, in pieces of any length. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>;
  #left: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The next so many bytes. @throws when there are no more */
  async block(length: number): Promise<Buffer[]> {
    const block: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      if (this.#left.length === 0) {
        const { done, value } = await this.#source.next();
        if (done) throw new Error('The copy ended in the middle.');
        this.#left = value;
      }
      const piece = this.#left.subarray(0, missing);
      this.#left = this.#left.subarray(piece.length);
      missing -= piece.length;
      block.push(piece);
    }
    return block;
  }

  /** @throws when there is something more */
  async end(): Promise<void> {
    if (this.#left.length > 0 || !(await this.#source.next()).done) {
      throw new Error('More came than was asked for.');
    }
  }
}
