import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readContents, writeContents } from '../../../../src/agent/databases/offline/contents.js';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
});
afterAll(() => rm(dir, { recursive: true }));

const million = 1024 * 1024;
/** Often empty, or zeros in part: that is left out of the file, and there all the same. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.integer({ min: 0, max: 1.5 * million }), fc.uint8Array({ maxLength: 8 }))
    .map(([zeros, tail]) => Buffer.concat([Buffer.alloc(zeros), tail])),
);
const contents = fc.array(content, { maxLength: 4 });
const writtenAt = 1_700_000_000_123;

async function folders(): Promise<[from: string, to: string]> {
  const both = [join(dir, 'from'), join(dir, 'to')] as const;
  for (const folder of both) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
  }
  return [...both];
}

async function* cut(source: Uint8Array, lengths: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < source.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? million;
    yield Buffer.from(source.subarray(at, at + length));
    at += length;
  }
}

const entries = (all: readonly Uint8Array[]) =>
  all.map(({ length }, n) => ({ path: `f${n}`, size: length, writtenAt, lasting: true }));

it('arrives as it is, however it is cut on the way', async () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 3 * million }), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(contents, lengths, async (all, cuts) => {
      const [from, to] = await folders();
      const files = entries(all);
      for (const [n, bytes] of all.entries()) await writeFile(join(from, `f${n}`), bytes);
      const sent: Buffer[] = [];
      for await (const piece of readContents(from, files)) sent.push(Buffer.from(piece));
      await writeContents(cut(Buffer.concat(sent), cuts), to, files, null);
      for (const [n, bytes] of all.entries()) {
        expect((await readFile(join(to, `f${n}`))).equals(bytes)).toBe(true);
        expect(Math.round((await stat(join(to, `f${n}`))).mtimeMs)).toBe(writtenAt);
      }
    }),
    { numRuns: 25 },
  );
});

it('is not taken for whole when it is cut short, or is more', async () => {
  const [, to] = await folders();
  const all = [Buffer.from('one'), Buffer.from('other')];
  const write = (text: string) =>
    writeContents(cut(Buffer.from(text), [2]), to, entries(all), null);
  await expect(write('oneot')).rejects.toThrow('in the middle');
  expect(Math.round((await stat(join(to, 'f0'))).mtimeMs)).toBe(writtenAt);
  expect(Math.round((await stat(join(to, 'f1'))).mtimeMs)).not.toBe(writtenAt);
  for (const { path } of entries(all)) await rm(join(to, path));
  await expect(write('oneother and')).rejects.toThrow('More came');
});

it('is not sent of a file that has another size by now', async () => {
  const [from] = await folders();
  await writeFile(join(from, 'f0'), 'longer');
  for (const size of [0, 5, 7]) {
    const reading = async () => {
      for await (const _ of readContents(from, [{ path: 'f0', size }]));
    };
    await expect(reading()).rejects.toThrow('f0 does not have');
  }
});
