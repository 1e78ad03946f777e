import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, it } from 'vitest';
import {
  compareFiles,
  type FileEntry,
  listFolder,
  listing,
} from '../../../../src/agent/databases/offline/listing.js';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Few names, sizes and times, so that files of two folders are often the same, or almost. */
const file = fc.record({
  path: fc.constantFrom('a', 'b', 'c/d', 'c/e', 'f'),
  size: fc.integer({ min: 0, max: 2 }),
  writtenAt: fc.integer({ min: 0, max: 2 }),
  lasting: fc.boolean(),
});
const files = fc.uniqueArray(file, { selector: ({ path }) => path });
const paths = (entries: readonly Pick<FileEntry, 'path'>[]) => entries.map(({ path }) => path);

it('leaves exactly what is wanted, and keeps only what lasts and looks the same', () => {
  fc.assert(
    fc.property(files, files, (wanted, had) => {
      const { fetch, keep, drop } = compareFiles(wanted, had);
      const after = [...paths(had).filter((path) => !drop.includes(path)), ...paths(fetch)];
      expect(after.sort()).toEqual(paths(wanted).sort());
      for (const kept of keep) {
        const mine = had.find(({ path }) => path === kept.path);
        expect(kept.lasting).toBe(true);
        expect({ ...mine, lasting: true }).toEqual(kept);
      }
      expect(compareFiles(wanted, [...keep, ...fetch]).fetch).toEqual(
        fetch.filter(({ lasting }) => !lasting),
      );
    }),
  );
});

it('is refused when a path leads outside', () => {
  const entry = { size: 1, writtenAt: 1, lasting: true };
  for (const path of ['/etc/passwd', '../up', 'a/../../up', '']) {
    expect(listing.safeParse({ folders: [], files: [{ ...entry, path }] }).success).toBe(false);
    expect(listing.safeParse({ folders: [path], files: [] }).success).toBe(false);
  }
  expect(listing.safeParse({ folders: ['..a'], files: [{ ...entry, path: 'b..' }] }).success).toBe(
    true,
  );
});

it('tells everything that a folder holds, and refuses what cannot be copied', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
  cleanUp.push(() => rm(dir, { recursive: true }));
  await mkdir(join(dir, 'data', 'empty'), { recursive: true });
  await writeFile(join(dir, 'data', 'one.tsm'), '12345');
  const found = await listFolder(dir, (path) => path.endsWith('.tsm'));
  expect(found.folders).toEqual(['data', 'data/empty']);
  expect(found.files).toMatchObject([{ path: 'data/one.tsm', size: 5, lasting: true }]);
  expect(await listFolder(join(dir, 'missing'), () => true)).toEqual({ folders: [], files: [] });
  await symlink('/etc/passwd', join(dir, 'data', 'link'));
  await expect(listFolder(dir, () => true)).rejects.toThrow('data/link');
});
