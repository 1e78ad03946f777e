import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { crc32c } from '@node-rs/crc32';
import { Header } from 'tar';
import type { Account } from '../shared/account.js';
import type { WrittenFile } from './backup-manifest.js';

/** What an archive is made of (POSIX `ustar`): every header, and every content padded, to this. */
const record = 512;
/** How much is written at once: few large writes are what makes a copy fast. In bytes. */
const blockSize = 1024 * 1024;
/** How many blocks wait to be written when the sender is asked to pause, and when to go on: before the disk waits. */
const waiting = { most: 8, least: 4 };

/** Who sends an archive. */
export interface Sender {
  pause(): void;
  resume(): void;
}

/**
 * Unpacks a tar archive that comes piece by piece, at the speed of the disk: in large blocks, in
 * memory that is used again and again, while the next pieces come in. It knows files and folders,
 * which are all that a cluster without tablespaces consists of.
 */
export class Unpacking {
  /** Resolves when all of it is in the folder; rejects when it cannot be. */
  readonly finished: Promise<void>;
  readonly #sender: Sender;
  readonly #folder: Folder;
  readonly #full: Buffer[] = [];
  readonly #spare: Buffer[] = [];
  #filling: Buffer = Buffer.allocUnsafe(blockSize);
  #filled = 0;
  #isPaused = false;
  #isEnded = false;
  #isGivenUp = false;
  #wake: () => void = () => undefined;

  constructor(folder: string, owner: Account | null, sender: Sender) {
    this.#folder = new Folder(folder, owner);
    this.#sender = sender;
    this.finished = this.#write();
    this.finished.catch(() => undefined); // whoever waits for it hears of it
  }

  /** The files that were written whole, by their paths in the archive. */
  get files(): ReadonlyMap<string, WrittenFile> {
    return this.#folder.files;
  }

  /** Takes the next piece; its memory is the caller's again when this returns. */
  take(piece: Buffer): void {
    for (let from = 0; from < piece.length; ) {
      const copied = piece.copy(this.#filling, this.#filled, from);
      from += copied;
      this.#filled += copied;
      if (this.#filled === blockSize) this.#pass();
    }
  }

  /** There are no more pieces. */
  end(): void {
    this.#pass();
    this.#isEnded = true;
    this.#wake();
  }

  /** Returns when nothing is written any more. */
  async giveUp(): Promise<void> {
    this.#isGivenUp = true;
    this.#wake();
    await this.finished.catch(() => undefined);
  }

  #pass(): void {
    this.#full.push(this.#filling.subarray(0, this.#filled));
    this.#filling = this.#spare.pop() ?? Buffer.allocUnsafe(blockSize);
    this.#filled = 0;
    if (this.#full.length >= waiting.most && !this.#isPaused) {
      this.#isPaused = true;
      this.#sender.pause();
    }
    this.#wake();
  }

  async #write(): Promise<void> {
    try {
      for (;;) {
        const block = this.#full.shift();
        if (this.#isGivenUp) throw new Error('The copy was given up.');
        if (this.#isPaused && this.#full.length <= waiting.least) {
          this.#isPaused = false;
          this.#sender.resume();
        }
        if (block) {
          await this.#folder.add(block);
          if (block.length === blockSize) this.#spare.push(block);
        } else if (this.#isEnded) {
          this.#folder.conclude();
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      await this.#folder.close();
    }
  }
}

/** The folder that an archive goes to, and how far it is. */
class Folder {
  readonly #path: string;
  readonly #owner: Account | null;
  #file: FileHandle | null = null;
  readonly files = new Map<string, WrittenFile>();
  /** The path of the open file in the archive, and what it is to have. */
  #name = '';
  #size = 0;
  /** Bytes of the open file that are still to come. */
  #left = 0;
  /** Of its bytes so far. */
  #checksum = 0;

  constructor(path: string, owner: Account | null) {
    this.#path = path;
    this.#owner = owner;
  }

  /** Adds a block of the archive, which begins where a record does. */
  async add(block: Buffer): Promise<void> {
    for (let at = 0; at < block.length; at = Math.ceil(at / record) * record) {
      if (this.#left > 0) at += await this.#fill(block.subarray(at));
      else {
        await this.#begin(new Header(block, at));
        at += record;
      }
    }
  }

  /** @throws when the archive ended in the middle of a file */
  conclude(): void {
    if (this.#left > 0) throw new Error('The copy ended in the middle of a file.');
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
  }

  async #fill(content: Buffer): Promise<number> {
    const part = content.subarray(0, this.#left);
    for (let written = 0; written < part.length; ) {
      written += (await this.#file?.write(part, written))?.bytesWritten ?? 0;
    }
    this.#checksum = crc32c(part, this.#checksum);
    this.#left -= part.length;
    if (this.#left === 0) await this.#end();
    return part.length;
  }

  async #begin({ path, type, size, mode, nullBlock }: Header): Promise<void> {
    if (nullBlock) return; // two of these end an archive
    const name = inside(path ?? '');
    const target = join(this.#path, name);
    if (type === 'Directory') {
      await mkdir(target, { recursive: true, mode: mode ?? 0o700 });
      const folder = await open(target, 'r');
      if (this.#owner) await folder.chown(this.#owner.uid, this.#owner.gid);
      await folder.close();
      return;
    }
    if (type !== 'File') throw new Error(`A cluster with a ${type} (${path}) cannot be copied.`);
    const create = constants.O_CREAT | constants.O_WRONLY | constants.O_EXCL;
    this.#file = await open(target, create, mode ?? 0o600);
    if (this.#owner) await this.#file.chown(this.#owner.uid, this.#owner.gid);
    [this.#name, this.#size, this.#checksum] = [name, size ?? 0, 0];
    this.#left = this.#size;
    if (this.#left === 0) await this.#end();
  }

  async #end(): Promise<void> {
    await this.close();
    this.files.set(this.#name, { size: this.#size, checksum: this.#checksum });
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
