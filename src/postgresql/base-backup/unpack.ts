import { closeSync, constants, fchownSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join, posix } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { Header } from 'tar';
import type { Account } from '../../shared/account.js';
import type { WrittenFile } from './manifest.js';

/** What an archive is made of (POSIX `ustar`): every header, and every content padded, to this. */
const record = 512;
/** How much is written at once: few large writes are what makes a copy fast. In bytes. */
const blockSize = 1024 * 1024;

/** Bytes that can be copied to where they are wanted, as those of a `Buffer`. */
export interface Piece {
  readonly length: number;
  /** @returns how many were copied: all, or as many as the target has room for */
  copy(target: Buffer, targetStart: number, sourceStart: number): number;
}

/**
 * Unpacks a tar archive that comes piece by piece: in large blocks, written before the next piece is
 * taken. It knows files and folders, which are all that a cluster without tablespaces consists of.
 */
export class Unpacking {
  /** The files that were written whole, by their paths in the archive. */
  readonly files = new Map<string, WrittenFile>();
  readonly #folder: string;
  readonly #owner: Account | null;
  readonly #block = Buffer.allocUnsafe(blockSize);
  #filled = 0;
  #descriptor: number | null = null;
  /** The path of the open file in the archive, and what it is to have. */
  #name = '';
  #size = 0;
  /** Bytes of the open file that are still to come. */
  #left = 0;
  /** Of its bytes so far. */
  #checksum = 0;

  constructor(folder: string, owner: Account | null) {
    this.#folder = folder;
    this.#owner = owner;
  }

  /**
   * Takes the next piece.
   * @param start where in it the archive goes on
   * @throws when it cannot be written, or is not what a cluster consists of
   */
  take(piece: Piece, start = 0): void {
    for (let from = start; from < piece.length; ) {
      const copied = piece.copy(this.#block, this.#filled, from);
      from += copied;
      this.#filled += copied;
      if (this.#filled === blockSize) this.#pass();
    }
  }

  /** There are no more pieces. @throws as {@link take}; when the archive ended in the middle of a file */
  end(): void {
    this.#pass();
    if (this.#left > 0) throw new Error('The copy ended in the middle of a file.');
  }

  /** Unpacks a block, which begins where a record of the archive does. */
  #pass(): void {
    const block = this.#block.subarray(0, this.#filled);
    this.#filled = 0;
    for (let at = 0; at < block.length; at = Math.ceil(at / record) * record) {
      if (this.#left > 0) at += this.#fill(block.subarray(at));
      else {
        this.#begin(new Header(block, at));
        at += record;
      }
    }
  }

  #fill(content: Buffer): number {
    const part = content.subarray(0, this.#left);
    for (let written = 0; written < part.length && this.#descriptor !== null; ) {
      written += writeSync(this.#descriptor, part, written);
    }
    this.#checksum = crc32c(part, this.#checksum);
    this.#left -= part.length;
    if (this.#left === 0) this.#conclude();
    return part.length;
  }

  #begin({ path, type, size, mode, nullBlock }: Header): void {
    if (nullBlock) return; // two of these end an archive
    const name = inside(path ?? '');
    const target = join(this.#folder, name);
    if (type === 'Directory') {
      mkdirSync(target, { recursive: true, mode: mode ?? 0o700 });
      const folder = openSync(target, 'r');
      this.#giveAway(folder);
      closeSync(folder);
      return;
    }
    if (type !== 'File') throw new Error(`A cluster with a ${type} (${path}) cannot be copied.`);
    const create = constants.O_CREAT | constants.O_WRONLY | constants.O_EXCL;
    this.#descriptor = openSync(target, create, mode ?? 0o600);
    this.#giveAway(this.#descriptor);
    [this.#name, this.#size, this.#checksum] = [name, size ?? 0, 0];
    this.#left = this.#size;
    if (this.#left === 0) this.#conclude();
  }

  #conclude(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
    this.files.set(this.#name, { size: this.#size, checksum: this.#checksum });
  }

  #giveAway(descriptor: number): void {
    if (this.#owner) fchownSync(descriptor, this.#owner.uid, this.#owner.gid);
  }
}

/** A path that stays in its folder. @throws when it does not */
function inside(path: string): string {
  const normal = posix.normalize(path);
  if (posix.isAbsolute(normal) || normal.split('/').includes('..')) {
    throw new Error(`The copy has a path that leads outside of it: ${path}`);
  }
  return normal;
}
