import { createHash } from 'node:crypto';
import { z } from 'zod';

/** A file that was written from a backup. */
export interface WrittenFile {
  readonly size: number;
  /** CRC-32C of its content. */
  readonly checksum: number;
}

const manifest = z.object({
  Files: z.array(
    z.object({
      Path: z.string().optional(),
      /** In hexadecimal digits, where the path is not UTF-8. */
      'Encoded-Path': z.string().optional(),
      Size: z.number(),
      'Checksum-Algorithm': z.literal('CRC32C'),
      Checksum: z.string(),
    }),
  ),
  'Manifest-Checksum': z.string(),
});

/**
 * Checks what was written against what the server says that it sent (PostgreSQL documentation,
 * chapter "Backup Manifest Format").
 * @param written the files by their paths
 * @throws when the manifest is damaged, or a file is missing or is not what was sent, naming it
 */
export function checkManifest(text: string, written: ReadonlyMap<string, WrittenFile>): void {
  const { Files: files, 'Manifest-Checksum': digest } = manifest.parse(JSON.parse(text));
  // The last line of the file holds the digest of all lines before.
  const before = text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1);
  if (createHash('sha256').update(before).digest('hex') !== digest) {
    throw new Error('The manifest of the copy arrived damaged.');
  }
  for (const { Path: plain, 'Encoded-Path': encoded, Size: size, Checksum: sent } of files) {
    const path = plain ?? Buffer.from(encoded ?? '', 'hex').toString('utf8');
    const file = written.get(path);
    if (!file) throw new Error(`The copy lacks the file ${path}.`);
    if (file.size !== size || inOrderOfMemory(file.checksum) !== sent) {
      throw new Error(`The file ${path} of the copy is not what was sent.`);
    }
  }
}

/** As the manifest writes a CRC: its bytes as they lie in the memory of a little-endian machine. */
function inOrderOfMemory(checksum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(checksum);
  return bytes.toString('hex');
}
