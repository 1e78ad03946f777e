import { appendFile, type FileHandle, mkdir, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LogLines } from '../../../region/model.js';
import { isMissing } from '../../../shared/errors.js';

/** From this size on the file is replaced, in bytes; the one before it is kept. */
const fullAt = 10 * 1024 * 1024;
/** What is read at once, in bytes. */
const blockSize = 64 * 1024;
/** What {@link LineFile.after} answers at once, in bytes; longer than any line. */
const answerSize = 1024 * 1024;
const newline = 0x0a;

/** A growing file of lines, of which the newest are kept. Its user reads or appends, never both at once. */
export class LineFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  async append(text: string): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await appendFile(this.#path, text, { mode: 0o600 });
    const { size } = await stat(this.#path);
    if (size > fullAt) await rename(this.#path, this.#older);
  }

  /** All that is kept, newest line first. */
  async *backwards(): AsyncGenerator<string> {
    for (const path of [this.#path, this.#older]) {
      const file = await openIfThere(path);
      if (!file) continue;
      try {
        yield* linesBackwards(file.handle, file.size);
      } finally {
        await file.handle.close();
      }
    }
  }

  /** The place after the last line. */
  async end(): Promise<string> {
    const file = (await openIfThere(this.#path)) ?? (await openIfThere(this.#older));
    if (!file) return beginning;
    await file.handle.close();
    return placeIn(file.name, file.size);
  }

  /**
   * What follows a place, oldest line first, at most about 1 MB at once. From a place that is no
   * longer kept, everything from the oldest that is.
   */
  async after(place: string): Promise<LogLines> {
    const files = (await Promise.all([this.#older, this.#path].map(openIfThere))).filter(
      (file) => file !== null,
    );
    try {
      const { name, offset } = readPlace(place);
      const from = Math.max(
        0,
        files.findIndex((file) => file.name === name),
      );
      let end = place;
      for (const file of files.slice(from)) {
        const start = file.name === name ? Math.min(offset, file.size) : 0;
        const lines = await readLines(file.handle, start, file.size);
        end = placeIn(file.name, start + lines.size);
        if (lines.size > 0) return { lines: lines.texts, end };
      }
      return { lines: [], end };
    } finally {
      await Promise.all(files.map(({ handle }) => handle.close()));
    }
  }

  get #older(): string {
    return `${this.#path}.1`;
  }
}

/** The place before everything. */
const beginning = '0:0';

interface OpenFile {
  readonly handle: FileHandle;
  readonly size: number;
  /** The same before and after it is renamed. */
  readonly name: string;
}

async function openIfThere(path: string): Promise<OpenFile | null> {
  const handle = await open(path, 'r').catch((error) => {
    if (isMissing(error)) return null;
    throw error;
  });
  if (!handle) return null;
  const { size, ino, birthtimeMs } = await handle.stat();
  return { handle, size, name: `${ino}-${Math.floor(birthtimeMs)}` };
}

function placeIn(name: string, offset: number): string {
  return `${name}:${offset}`;
}

function readPlace(place: string): { name: string; offset: number } {
  const [name = '', offset] = place.split(':');
  return { name, offset: Number(offset) || 0 };
}

async function* linesBackwards(handle: FileHandle, size: number): AsyncGenerator<string> {
  /** The beginning of it is in a block that is not read yet. */
  let unfinished = Buffer.alloc(0);
  for (let end = size; end > 0; end -= blockSize) {
    const start = Math.max(0, end - blockSize);
    const block = Buffer.concat([await read(handle, start, end), unfinished]);
    const first = start === 0 ? 0 : block.indexOf(newline) + 1 || block.length;
    unfinished = block.subarray(0, first);
    const lines = block.subarray(first).toString().split('\n');
    lines.pop(); // what follows the last newline
    yield* lines.reverse();
  }
}

/** Whole lines between two offsets. */
async function readLines(handle: FileHandle, from: number, to: number) {
  const block = await read(handle, from, Math.min(to, from + answerSize));
  const size = block.lastIndexOf(newline) + 1;
  return { texts: block.subarray(0, size).toString().split('\n').slice(0, -1), size };
}

async function read(handle: FileHandle, from: number, to: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
  return buffer.subarray(0, bytesRead);
}
