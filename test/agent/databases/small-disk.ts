import { execFile } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { isDiskFull } from '../../../src/shared/disk.js';

const run = promisify(execFile);
const filler = '.filler';

/** A disk that is soon full: a file system in memory, which takes root to mount, or a namespace (scripts/may-mount.sh). */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** @param size in megabytes */
  static async create(size: number): Promise<SmallDisk> {
    const folder = await mkdtemp(join(tmpdir(), 'godwit-test-'));
    await run('mount', ['-t', 'tmpfs', '-o', `size=${size * 1024}k,mode=755`, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** @param size in megabytes */
  async resize(size: number): Promise<void> {
    await run('mount', ['-o', `remount,size=${size * 1024}k`, this.folder]);
  }

  /** Leaves no room at all, until it is {@link empty}. */
  async fill(): Promise<void> {
    const filling = createReadStream('/dev/zero');
    await pipeline(filling, createWriteStream(join(this.folder, filler))).catch((error) => {
      if (!isDiskFull(error)) throw error;
    });
  }

  async empty(): Promise<void> {
    await rm(join(this.folder, filler));
  }

  async remove(): Promise<void> {
    await run('umount', [this.folder]);
    await rm(this.folder, { recursive: true });
  }
}

/** Whether a test may mount. */
export const mayMount = await SmallDisk.create(1).then(
  async (disk) => {
    await disk.remove();
    return true;
  },
  () => false,
);
