import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';

/**
 * A folder as a `.tar.gz`, without its history, and without its installed packages when a
 * `package-lock.json` tells which to install.
 */
export function packFolder(folder: string): NodeJS.ReadableStream {
  const isLocked = existsSync(join(folder, 'package-lock.json'));
  const leftOut = new Set(['.git', ...(isLocked ? ['node_modules'] : [])]);
  const filter = (path: string) => !path.split('/').some((part) => leftOut.has(part));
  return Readable.from(create({ gzip: true, cwd: folder, portable: true, filter }, ['.']));
}
