import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LineFile } from '../../../src/agent/runtime/host-processes/line-file.js';
import { LogBook } from '../../../src/agent/runtime/host-processes/log-book.js';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'godwit-logs-'));
});

afterEach(() => rm(dir, { recursive: true }));

/** All lines from a place on, and the last place. */
async function readOn(file: LineFile, from: string) {
  const lines: string[] = [];
  let end = from;
  for (;;) {
    const next = await file.after(end);
    if (next.end === end) return { lines, end };
    lines.push(...next.lines);
    end = next.end;
  }
}

async function newestFirst(file: LineFile): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of file.backwards()) lines.push(line);
  return lines;
}

describe('a file of lines', () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', ' ')),
    fc.integer({ min: 0, max: 70_000 }).map((length) => 'é'.repeat(length)),
  );

  it('is read backwards, and on from every place, whatever is in it', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(line, { minLength: 1 }), { maxLength: 6 }),
        async (parts) => {
          const file = new LineFile(join(dir, String(count++), 'app.log'));
          const ends = [await file.end()];
          for (const part of parts) {
            await file.append(part.map((one) => `${one}\n`).join(''));
            ends.push(await file.end());
          }
          const written = Buffer.from(parts.flat().join('\n')).toString().split('\n');
          const all = parts.length > 0 ? written : [];
          expect(await newestFirst(file)).toEqual(all.toReversed());
          for (const [at, end] of ends.entries()) {
            const before = parts.slice(0, at).flat().length;
            expect(await readOn(file, end)).toEqual({ lines: all.slice(before), end: ends.at(-1) });
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is followed across its replacement, and forgets only what is long past', async () => {
    const file = new LineFile(join(dir, 'app.log'));
    const megabyte = (name: string) => `${name}${'x'.repeat(1023)}\n`.repeat(1024);
    await file.append('first\n');
    const early = await file.end();
    for (let count = 0; count < 9; count += 1) await file.append(megabyte('a'));
    const late = await file.end();
    await file.append(`${megabyte('a')}last of the older\n`);
    await file.append('first of the newer\n');
    expect((await readOn(file, early)).lines).toHaveLength(10 * 1024 + 2);
    const since = (await readOn(file, late)).lines;
    expect(since).toHaveLength(1024 + 2);
    expect(since.slice(-2)).toEqual(['last of the older', 'first of the newer']);
    const newest = await newestFirst(file);
    expect(newest.slice(0, 2)).toEqual(['first of the newer', 'last of the older']);
    expect(newest.at(-1)).toBe('first');

    for (let count = 0; count < 11; count += 1) await file.append(megabyte('b'));
    await file.append('end\n');
    const left = (await readOn(file, early)).lines;
    expect(left[0]).toBe('first of the newer');
    expect(left.at(-1)).toBe('end');
  });
});

describe('a log book', () => {
  it('finds the lines of some processes, and since a time', async () => {
    const book = new LogBook(dir);
    await print('web-1', 'one');
    await print('worker-1', '[web-1] says the worker');
    await book.collect(['web-1', 'worker-1']);
    await book.note('noted');
    const texts = async (...how: Parameters<LogBook['tail']>) =>
      (await book.tail(...how)).lines.map((line) => line.replace(/^\S+ /, ''));
    expect(await texts(2)).toEqual(['[worker-1] [web-1] says the worker', '[godwit] noted']);
    expect(await texts(9, { of: ['web'] })).toEqual(['[web-1] one']);
    expect(await texts(9, { of: ['worker-1', 'godwit'] })).toHaveLength(2);
    expect(await texts(9, { since: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await texts(0)).toEqual([]);
  });

  it('takes many lines of one name at once', async () => {
    const book = new LogBook(dir);
    const { end } = await book.tail(0);
    await book.add('router', ['one', 'two']);
    await book.note('noted');
    const { lines } = await book.after(end, 0, { of: ['router'] });
    expect(lines.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      '[router] one',
      '[router] two',
    ]);
  });

  it('wakes who waits for a line', async () => {
    const book = new LogBook(dir);
    const { end } = await book.tail(0);
    const waiting = book.after(end, 60_000, { of: ['web'] });
    await print('web-1', 'here');
    await book.collect(['web-1']);
    const { lines, end: next } = await waiting;
    expect(lines).toEqual([expect.stringMatching(/ \[web-1\] here$/)]);
    expect(await book.after(next, 0)).toEqual({ lines: [], end: next });
  });

  it('cuts what is too long for a line', async () => {
    const book = new LogBook(dir);
    await print('web-1', 'z'.repeat(150_000));
    await book.collect(['web-1']);
    const { lines } = await book.tail(10);
    expect(lines.map((line) => line.replace(/^\S+ \[web-1\] /, '').length)).toEqual([
      65_536, 65_536, 18_928,
    ]);
  });
});

/** As a process prints. */
async function print(name: string, text: string): Promise<void> {
  await appendFile(join(dir, `${name}.out`), `${text}\n`);
}
