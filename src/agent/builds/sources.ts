import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';

/** Sources are for deploying soon, not for keeping. Milliseconds. */
const keptFor = 24 * 3_600_000;

/** Archives that were uploaded to be deployed. */
export class Sources {
  readonly #folder: string;
  readonly #largest: number;

  /** @param largest what an archive may have at most, in bytes */
  constructor(folder: string, largest = 500 * 1024 * 1024) {
    this.#folder = folder;
    this.#largest = largest;
  }

  /** @throws Refusal `too-large` */
  async store(source: string, archive: NodeJS.ReadableStream): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await this.#forgetOld();
    let size = 0;
    const largest = this.#largest;
    const meter = new Transform({
      transform(piece: Buffer, _, done) {
        size += piece.length;
        if (size <= largest) return done(null, piece);
        const what = `The archive is larger than ${bytes(largest)}. Leave out what the application does not need.`;
        done(new Refusal('too-large', what));
      },
    });
    const unfinished = `${this.#file(source)}.new`;
    try {
      await pipeline(archive, meter, createWriteStream(unfinished, { mode: 0o600 }));
      await rename(unfinished, this.#file(source));
    } finally {
      await rm(unfinished, { force: true });
    }
  }

  /** @throws Refusal `invalid` when it was never stored, or long ago */
  async find(source: string): Promise<string> {
    const file = this.#file(source);
    if (await stat(file).catch(() => null)) return file;
    throw Refusal.invalid(
      'source_url',
      'There is no such source in this region. Create one, upload the archive to its upload_url, and deploy it within a day.',
    );
  }

  async #forgetOld(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      const { mtimeMs } = await stat(file);
      if (Date.now() - mtimeMs > keptFor) await rm(file, { force: true });
    }
  }

  #file(source: string): string {
    return join(this.#folder, `${source}.tar.gz`);
  }
}
