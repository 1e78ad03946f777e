import {
  appendFile,
  mkdir,
  open,
  readFile,
  rename,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { z } from 'zod';
import { readJsonFile } from '../../../shared/json-file.js';

/** From this size on a file of the log book is replaced, in bytes. */
const fullAt = 10 * 1024 * 1024;
/** A line that is longer is cut into several. */
const longestLine = 64 * 1024;

const offsets = z.record(z.string(), z.number());

/**
 * The logs of one app. Its processes write to capture files of their own, so that they can go on
 * without the agent; from there their lines go, with time and name, to one book.
 */
export class LogBook {
  readonly #folder: string;
  readonly #writing = new Mutex();
  /** How much of each capture file is in the book. */
  #read: Record<string, number> | null = null;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the file that a process is to write to, for appending. */
  async openCapture(name: string) {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return open(this.#capture(name), 'a', 0o600);
  }

  /** Adds a line of the region's own. */
  async note(line: string): Promise<void> {
    await this.#writing.runExclusive(() => this.#append('godwit', [line]));
  }

  /** Takes over what the processes have written since. */
  async collect(names: Iterable<string>): Promise<void> {
    await this.#writing.runExclusive(async () => {
      for (const name of names) await this.#collectOne(name);
    });
  }

  /** The last lines, oldest first; when `of` is given, of one process only, and since then. */
  async tail(count: number, of?: { name: string; since: Date }): Promise<string[]> {
    const texts = await Promise.all([this.#text(`${this.#book}.1`), this.#text(this.#book)]);
    const lines = texts.join('').split('\n').slice(0, -1);
    if (!of) return lines.slice(-count);
    const since = of.since.toISOString();
    return lines.filter((line) => line >= since && line.includes(` [${of.name}] `)).slice(-count);
  }

  async #collectOne(name: string): Promise<void> {
    const read = await this.#offsets();
    const file = this.#capture(name);
    const size = await stat(file).then(
      (found) => found.size,
      () => 0, // it has not been started yet
    );
    const from = Math.min(read[name] ?? 0, size);
    if (from === size) return;
    const text = await readPart(file, from, Math.min(size, from + fullAt));
    const end = text.length >= longestLine ? text.length : text.lastIndexOf('\n') + 1;
    if (end === 0) return; // a line is being written
    const part = text.subarray(0, end).toString().replace(/\n$/, '');
    await this.#append(name, part.split('\n'));
    read[name] = from + end;
    if (read[name] === size && size > fullAt) {
      await truncate(file); // whoever appends to it goes on at its new end
      read[name] = 0;
    }
    await writeFile(this.#offsetsFile, JSON.stringify(read), { mode: 0o600 });
  }

  async #append(name: string, lines: readonly string[]): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const time = new Date().toISOString();
    await appendFile(this.#book, lines.map((line) => `${time} [${name}] ${line}\n`).join(''), {
      mode: 0o600,
    });
    const { size } = await stat(this.#book);
    if (size > fullAt) await rename(this.#book, `${this.#book}.1`);
  }

  async #offsets(): Promise<Record<string, number>> {
    this.#read ??= (await readJsonFile(this.#offsetsFile, offsets).catch(() => null)) ?? {};
    return this.#read;
  }

  async #text(file: string): Promise<string> {
    return readFile(file, 'utf8').catch(() => ''); // not written yet
  }

  get #book(): string {
    return join(this.#folder, 'app.log');
  }

  get #offsetsFile(): string {
    return join(this.#folder, 'offsets.json');
  }

  #capture(name: string): string {
    return join(this.#folder, `${name}.out`);
  }
}

async function readPart(file: string, from: number, to: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(to - from), 0, to - from, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
