import { createHash } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkManifest, type WrittenFile } from '../../../src/postgresql/base-backup/manifest.js';

/** A manifest as a server writes it, of files by their paths. */
function manifestOf(files: ReadonlyMap<string, Buffer>): string {
  const lines = [...files].map(([path, content]) => {
    const checksum = Buffer.alloc(4);
    checksum.writeUInt32LE(crc32c(content));
    return `{ "Path": ${JSON.stringify(path)}, "Size": ${content.length}, "Last-Modified": "2026-01-01 00:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "${checksum.toString('hex')}" }`;
  });
  const text = `{ "PostgreSQL-Backup-Manifest-Version": 2,\n"Files": [\n${lines.join(',\n')}\n],\n"WAL-Ranges": [],\n`;
  const digest = createHash('sha256').update(text).digest('hex');
  return `${text}"Manifest-Checksum": "${digest}"}\n`;
}

const written = (files: ReadonlyMap<string, Buffer>): Map<string, WrittenFile> =>
  new Map(
    [...files].map(([path, content]) => [
      path,
      { size: content.length, checksum: crc32c(content) },
    ]),
  );

const someFiles = fc
  .uniqueArray(
    fc.record({
      path: fc.string({ minLength: 1, unit: 'grapheme' }),
      content: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes)),
    }),
    { minLength: 1, selector: ({ path }) => path },
  )
  .map((all) => new Map(all.map(({ path, content }) => [path, content])));

describe('the manifest of a copy', () => {
  it('agrees with what was sent', () =>
    fc.assert(fc.property(someFiles, (files) => checkManifest(manifestOf(files), written(files)))));

  it('names a file that is missing, and one in which a bit is another', () =>
    fc.assert(
      fc.property(someFiles, fc.nat(), fc.nat(), (files, which, bit) => {
        const manifest = manifestOf(files);
        const [path, content] = [...files][which % files.size] ?? ['', Buffer.alloc(0)];
        const less = new Map([...files].filter(([name]) => name !== path));
        expect(() => checkManifest(manifest, written(less))).toThrow(`lacks the file ${path}.`);
        const wrong = Buffer.from(content);
        const at = (bit >> 3) % wrong.length;
        wrong.writeUInt8(wrong.readUInt8(at) ^ (1 << (bit & 7)), at);
        const changed = written(new Map([...files, [path, wrong]]));
        expect(() => checkManifest(manifest, changed)).toThrow(`${path} of the copy is not`);
      }),
    ));

  it('is damaged itself when anything of it is another', () => {
    const files = new Map([['base/1/2', Buffer.from('rows')]]);
    const text = manifestOf(files).replace('2026-01-01', '2026-01-02');
    expect(() => checkManifest(text, written(files))).toThrow(/manifest.*damaged/);
  });
});
