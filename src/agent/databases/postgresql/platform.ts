import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Binaries } from '../../../postgresql/binaries.js';

/** What decides how one database can follow another: of which make a server is. */
export const platform = z.object({
  major: z.string(),
  /** Of the processor, which decides how files are laid out. */
  architecture: z.string(),
  /** Version of the C library, whose locales decide how text is sorted; empty where it is another library. */
  libc: z.string(),
  /** Extensions that can be created there. */
  extensions: z.array(z.string()),
});
export type Platform = z.infer<typeof platform>;

const libc =
  z
    .object({ header: z.object({ glibcVersionRuntime: z.string().optional() }) })
    .parse(process.report.getReport()).header.glibcVersionRuntime ?? '';

/** What the servers are that these binaries run. */
export async function platformOf(binaries: Binaries): Promise<Platform> {
  return {
    major: binaries.major,
    architecture: process.arch,
    libc,
    extensions: await extensionsOf(binaries),
  };
}

/**
 * Binaries with a `pg_dump` that reads a server of one major, and writes what one of another
 * understands; null when the host has none.
 */
export async function dumperFor(
  majors: readonly Binaries[],
  from: string,
  to: string,
): Promise<Binaries | null> {
  for (const binaries of majors) {
    const major = Number(binaries.major);
    const fits = major >= Number(from) && major <= Number(to);
    if (fits && (await canRun(join(binaries.bin, 'pg_dump')))) return binaries;
  }
  return null;
}

function canRun(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** Where the packages of npm and of Debian have what is shared between hosts. */
async function extensionsOf({ major, bin }: Binaries): Promise<string[]> {
  const folders = [
    join(bin, '..', 'share', 'postgresql', 'extension'),
    join('/usr/share/postgresql', major, 'extension'),
  ];
  const found = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])));
  return (found.find((names) => names.length > 0) ?? [])
    .filter((name) => name.endsWith('.control'))
    .map((name) => name.slice(0, -'.control'.length));
}
