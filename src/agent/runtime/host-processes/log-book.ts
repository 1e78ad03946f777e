import { EventEmitter, once } from 'node:events';
import { mkdir, open, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { z } from 'zod';
import type { LogLines } from '../../../region/model.js';
import { readJsonFile } from '../../../shared/json-file.js';
import { LineFile } from './line-file.js';

/** From this size on a capture file is emptied when all of it is in the book, in bytes. */
const fullAt = 10 * 1024 * 1024;
/** A line that is longer is cut into several, in characters. */
const longestLine = 64 * 1024;

const offsets = z.record(z.string(), z.number());

/** Which lines of the book are meant. */
export interface Choice {
  /** Those of processes, named by type (`web`) or by name (`web-1`); all when not given. */
  readonly of?: readonly string[] | undefined;
  readonly since?: Date;
}

/**
 * The logs of one app. Its processes write to capture files of their own, so that they can go on
 * without the agent; from there their lines go, with time and name, to one book.
 */
export class LogBook {
  readonly #folder: string;
  readonly #book: LineFile;
  /** Held while the book is read or written. */
  readonly #turn = new Mutex();
  readonly #news = new EventEmitter().setMaxListeners(0);
  /** How much of each capture file is in the book. */
  #read: Record<string, number> | null = null;

  constructor(folder: string) {
    this.#folder = folder;
    this.#book = new LineFile(join(folder, 'app.log'));
  }

  /** Opens the file that a process is to write to, for appending. */
  async openCapture(name: string) {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    return open(this.#capture(name), 'a', 0o600);
  }

  /** Adds a line of the region's own. */
  async note(line: string): Promise<void> {
    await this.add('godwit', [line]);
  }

  /** Adds lines under a name, in one write. */
  async add(name: string, lines: readonly string[]): Promise<void> {
    await this.#turn.runExclusive(() => this.#append(name, lines));
  }

  /** Takes over what the processes have written since. */
  async collect(names: Iterable<string>): Promise<void> {
    await this.#turn.runExclusive(async () => {
      for (const name of names) await this.#collectOne(name);
    });
  }

  /** The last lines, oldest first. */
  async tail(count: number, { of, since }: Choice = {}): Promise<LogLines> {
    const oldest = since?.toISOString() ?? '';
    return this.#turn.runExclusive(async () => {
      const found: string[] = [];
      for await (const line of this.#book.backwards()) {
        if (found.length === count || line < oldest) break;
        if (!of || isOf(line, of)) found.push(line);
      }
      return { lines: found.reverse(), end: await this.#book.end() };
    });
  }

  /** What was added after a place; waits for something to come, for at most `wait` ms. */
  async after(place: string, wait: number, { of }: Pick<Choice, 'of'> = {}): Promise<LogLines> {
    const read = () => this.#turn.runExclusive(() => this.#book.after(place));
    const enough = new AbortController();
    const signal = AbortSignal.any([enough.signal, AbortSignal.timeout(wait)]);
    const news = once(this.#news, 'added', { signal }).catch(() => null);
    let added = await read();
    if (added.end === place) {
      await news;
      added = await read();
    }
    enough.abort();
    return of ? { ...added, lines: added.lines.filter((line) => isOf(line, of)) } : added;
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
    const end = text.lastIndexOf('\n') + 1 || (text.length < longestLine ? 0 : text.length);
    if (end === 0) return; // a line is being written
    await this.#append(name, text.subarray(0, end).toString().replace(/\n$/, '').split('\n'));
    read[name] = from + end;
    if (read[name] === size && size > fullAt) {
      await truncate(file); // whoever appends to it goes on at its new end
      read[name] = 0;
    }
    await writeFile(this.#offsetsFile, JSON.stringify(read), { mode: 0o600 });
  }

  async #append(name: string, lines: readonly string[]): Promise<void> {
    const head = `${new Date().toISOString()} [${name}] `;
    const pieces = lines.flatMap(inPieces);
    await this.#book.append(pieces.map((piece) => `${head}${piece}\n`).join(''));
    this.#news.emit('added');
  }

  async #offsets(): Promise<Record<string, number>> {
    this.#read ??= (await readJsonFile(this.#offsetsFile, offsets).catch(() => null)) ?? {};
    return this.#read;
  }

  get #offsetsFile(): string {
    return join(this.#folder, 'offsets.json');
  }

  #capture(name: string): string {
    return join(this.#folder, `${name}.out`);
  }
}

function isOf(line: string, wanted: readonly string[]): boolean {
  const [, name = ''] = /^\S+ \[([^\]]*)\]/.exec(line) ?? [];
  return wanted.includes(name) || wanted.includes(name.replace(/-\d+$/, ''));
}

function inPieces(line: string): string[] {
  if (line.length <= longestLine) return [line];
  return [line.slice(0, longestLine), ...inPieces(line.slice(longestLine))];
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
