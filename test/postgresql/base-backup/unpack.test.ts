import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { create, Header } from 'tar';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Unpacking } from '../../../src/postgresql/base-backup/unpack.js';

let [from, to] = ['', ''];
beforeEach(async () => {
  [from, to] = await Promise.all([
    mkdtemp(join(tmpdir(), 'godwit-from-')),
    mkdtemp(join(tmpdir(), 'godwit-to-')),
  ]);
});
afterEach(async () => {
  await rm(from, { recursive: true });
  await rm(to, { recursive: true });
});

/** Gives an archive in pieces of the given sizes, again and again from the first. */
async function unpack(archive: Buffer, sizes: readonly number[], folder = to): Promise<void> {
  const unpacking = new Unpacking(folder, null);
  for (let at = 0, turn = 0; at < archive.length; turn += 1) {
    const piece = archive.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
    unpacking.take(piece);
    at += piece.length;
  }
  unpacking.end();
}

function entry(path: string, type: 'File' | 'SymbolicLink', content = Buffer.alloc(0)): Buffer {
  const header = new Header({ path, type, size: content.length, mode: 0o600, linkpath: '/etc' });
  header.encode();
  const padded = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  content.copy(padded);
  return Buffer.concat([header.block ?? Buffer.alloc(0), padded]);
}

it('writes what was packed, however it is cut into pieces', async () => {
  const sizes = [0, 1, 511, 512, 513, 8_192, 3_000_000];
  for (const size of sizes) await writeFile(join(from, `f${size}`), Buffer.alloc(size, `${size}`));
  const archive = await create({ cwd: from, portable: true }, ['.']).concat();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 70_000 }), { minLength: 1 }),
      async (cuts) => {
        const folder = await mkdtemp(join(to, 'run-'));
        await unpack(archive, cuts, folder);
        for (const size of sizes) {
          const written = await readFile(join(folder, `f${size}`));
          expect(written.equals(Buffer.alloc(size, `${size}`))).toBe(true);
        }
      },
    ),
    { numRuns: 20 },
  );
});

it.each([
  ['../outside', 'File', /leads outside/],
  ['/outside', 'File', /leads outside/],
  ['a/../../outside', 'File', /leads outside/],
  ['link', 'SymbolicLink', /SymbolicLink \(link\) cannot be copied/],
] as const)('refuses %s', async (path, type, says) => {
  await expect(unpack(entry(path, type), [512])).rejects.toThrow(says);
  expect(await readdir(to)).toEqual([]);
});

it('does not take half a file for a whole one', async () => {
  const whole = entry('file', 'File', Buffer.alloc(5_000));
  await expect(unpack(whole.subarray(0, 2_048), [700])).rejects.toThrow(/middle of a file/);
});
