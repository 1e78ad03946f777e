import { readdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { z } from 'zod';
import { isMissing } from '../../../shared/errors.js';

/** A path that stays in its folder. */
export const insidePath = z
  .string()
  .refine(
    (path) => path !== '' && !posix.isAbsolute(path) && !path.split('/').includes('..'),
    'leads outside of its folder',
  );

/** A file of a folder. */
export const fileEntry = z.object({
  /** Within the folder, with slashes. */
  path: insidePath,
  /** In bytes. */
  size: z.number().int().nonnegative(),
  /** When it was last written, in milliseconds since the epoch. */
  writtenAt: z.number().int(),
  /** Whether it is never written again, as long as it has this name. */
  lasting: z.boolean(),
});
export type FileEntry = z.infer<typeof fileEntry>;

/** All that a folder holds. */
export const listing = z.object({ folders: z.array(insidePath), files: z.array(fileEntry) });
export type Listing = z.infer<typeof listing>;

/** Whether a file is never written again, as long as it has this name. */
export type Lasts = (path: string) => boolean;

/** What a folder holds, at any depth; what vanishes meanwhile is left out, as is all of a missing one. */
export async function listFolder(folder: string, lasts: Lasts): Promise<Listing> {
  const found: Listing = { folders: [], files: [] };
  const visit = async (path: string): Promise<void> => {
    const entries = await orVanished(readdir(join(folder, path), { withFileTypes: true }), []);
    for (const entry of entries) {
      const inner = posix.join(path, entry.name);
      if (entry.isDirectory()) {
        found.folders.push(inner);
        await visit(inner);
      } else if (entry.isFile()) {
        const seen = await orVanished(stat(join(folder, inner)), null);
        if (!seen) continue;
        const writtenAt = Math.round(seen.mtimeMs);
        found.files.push({ path: inner, size: seen.size, writtenAt, lasting: lasts(inner) });
      } else {
        throw new Error(`A folder with something like ${inner} in it cannot be copied.`);
      }
    }
  };
  await visit('');
  return found;
}

/** The bytes of files. */
export function sizeOf(files: readonly FileEntry[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** What of a listing is to be fetched by somebody who has some of it, and what they have that is not in it. */
export interface Difference {
  readonly fetch: readonly FileEntry[];
  /** Files of the listing that are there already. */
  readonly keep: readonly FileEntry[];
  /** Paths of files that are not in it, or are other ones by now. */
  readonly drop: readonly string[];
}

/** Compares what there is to what there should be: only lasting files can be told to be the same. */
export function compareFiles(wanted: readonly FileEntry[], had: readonly FileEntry[]): Difference {
  const known = new Map(had.map((file) => [file.path, file]));
  const isThere = (file: FileEntry) => {
    const mine = known.get(file.path);
    return file.lasting && mine?.size === file.size && mine.writtenAt === file.writtenAt;
  };
  const keep = wanted.filter(isThere);
  const kept = new Set(keep.map(({ path }) => path));
  return {
    keep,
    fetch: wanted.filter((file) => !isThere(file)),
    drop: had.map(({ path }) => path).filter((path) => !kept.has(path)),
  };
}

async function orVanished<T, V>(reading: Promise<T>, otherwise: V): Promise<T | V> {
  return reading.catch((error) => {
    if (isMissing(error)) return otherwise;
    throw error;
  });
}
