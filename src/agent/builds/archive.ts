import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { posix } from 'node:path';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry, Unpack } from 'tar';
import type { Account } from '../../shared/account.js';
import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';

/** What an archive may hold at most. Sizes in bytes. */
export interface ArchiveLimits {
  readonly unpacked: number;
  readonly entries: number;
  /** Unpacked bytes for one packed byte, from 100 MB unpacked on. */
  readonly ratio: number;
}

export const archiveLimits: ArchiveLimits = {
  unpacked: 2 * 1024 ** 3,
  entries: 100_000,
  ratio: 200,
};

/** What was found in an archive that may be unpacked. */
export interface Archive {
  /** Leading folders to leave out: 1 when everything is in one folder, as in archives of repositories. */
  readonly strip: number;
  readonly procfile: string;
}

const largestProcfile = 64 * 1024;
const harmless = new Set([
  'File',
  'OldFile',
  'ContiguousFile',
  'Directory',
  'SymbolicLink',
  'Link',
]);

/**
 * Reads a `.tar.gz` to its end without writing anything.
 * @throws Refusal `invalid` when it is none, is too large, could write outside its folder, or has no Procfile
 */
export async function inspectArchive(file: string, limits = archiveLimits): Promise<Archive> {
  const procfiles = new Map<string, string>();
  const roots = new Set<string>();
  const { size: packed } = await stat(file);
  let entries = 0;
  let unpacked = 0;
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      entries += 1;
      unpacked += entry.size;
      const problem = excess({ entries, unpacked, packed }, limits) ?? problemOf(entry);
      if (problem !== null) {
        parser.abort(refusal(problem));
        return;
      }
      const path = normalise(entry.path);
      if (path !== '.') roots.add(path.split('/')[0] ?? path);
      if (/^([^/]+\/)?Procfile$/.test(path) && entry.size <= largestProcfile) {
        const pieces: Buffer[] = [];
        entry.on('data', (piece) => pieces.push(piece));
        entry.on('end', () => procfiles.set(path, Buffer.concat(pieces).toString()));
      } else entry.resume();
    },
  });
  // Headers and padding are unpacked, too.
  await through(file, parser, most({ packed }, limits) + 2 * 512 * limits.entries);
  const top = procfiles.get('Procfile');
  if (top !== undefined) return { strip: 0, procfile: top };
  const [only] = roots;
  const inner = roots.size === 1 ? procfiles.get(`${only}/Procfile`) : undefined;
  if (inner !== undefined) return { strip: 1, procfile: inner };
  throw refusal(
    'It has no Procfile at its top. Add one that says how to start the application, such as "web: node server.js".',
  );
}

/** Unpacks an archive that was inspected into an empty folder. */
export async function unpackArchive(
  file: string,
  folder: string,
  { strip, owner }: { strip: number; owner: Account | null },
): Promise<void> {
  const target = new Unpack({ cwd: folder, strip, strict: true, ...owner });
  await through(file, target, Number.POSITIVE_INFINITY);
}

/**
 * Has `target` read the archive up to its end; what comes after that is not looked at.
 * @throws Refusal when it is none, or when it unpacks to more than `largest` bytes
 */
async function through(file: string, target: Parser, largest: number): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    target.on('error', reject);
    target.on(target instanceof Unpack ? 'close' : 'end', resolve);
  });
  ended.catch(() => undefined); // heard of below
  let isOver = false;
  target.once('eof', () => {
    isOver = true;
  });
  const source = createReadStream(file);
  const unzipped = createGunzip();
  source.on('error', (error) => unzipped.destroy(error));
  let size = 0;
  try {
    for await (const piece of source.pipe(unzipped)) {
      size += piece.length;
      if (size > largest) throw refusal(`It unpacks to more than ${bytes(largest)}.`);
      if (!target.write(piece)) await Promise.race([once(target, 'drain'), ended]);
      if (isOver) break;
    }
    target.end();
    await ended;
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw refusal('It is no .tar.gz archive, or a damaged one. Make one with "tar czf".');
  } finally {
    source.destroy();
  }
}

function excess(
  found: { entries: number; unpacked: number; packed: number },
  limits: ArchiveLimits,
): string | null {
  if (found.entries > limits.entries) return `It has more than ${limits.entries} files.`;
  const allowed = most(found, limits);
  return found.unpacked > allowed ? `It unpacks to more than ${bytes(allowed)}.` : null;
}

/** What an archive of a size may unpack to, in bytes. */
function most({ packed }: { packed: number }, limits: ArchiveLimits): number {
  return Math.min(limits.unpacked, Math.max(100_000_000, packed * limits.ratio));
}

function problemOf(entry: ReadEntry): string | null {
  const { path, type, linkpath } = entry;
  if (!harmless.has(type))
    return `It has a ${type}, ${path}; only files, folders and links may be in it.`;
  if (leads(path)) return `It has the path ${path}, which leads outside of it.`;
  if (linkpath === undefined || (type !== 'SymbolicLink' && type !== 'Link')) return null;
  const target = type === 'Link' ? linkpath : posix.join(posix.dirname(path), linkpath);
  return leads(target) || posix.isAbsolute(linkpath)
    ? `It has the link ${path}, which leads outside of it.`
    : null;
}

/** Whether a path leads out of the folder it is unpacked in. */
function leads(path: string): boolean {
  const normal = normalise(path);
  return posix.isAbsolute(path) || normal === '..' || normal.startsWith('../');
}

function normalise(path: string): string {
  return posix.normalize(path).replace(/\/$/, '') || '.';
}

function refusal(what: string): Refusal {
  return Refusal.invalid('source_url', `The archive cannot be deployed. ${what}`);
}
