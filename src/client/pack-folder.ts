import { Readable } from 'node:stream';
import { create } from 'tar';

/** What is not a part of an application's source. */
const leftOut = new Set(['.git', 'node_modules']);

/** A folder as a `.tar.gz`, without its history and installed packages. */
export function packFolder(folder: string): NodeJS.ReadableStream {
  const filter = (path: string) => !path.split('/').some((part) => leftOut.has(part));
  return Readable.from(create({ gzip: true, cwd: folder, portable: true, filter }, ['.']));
}
