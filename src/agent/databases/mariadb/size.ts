import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../../../shared/errors.js';

/** What of the data folder is not data: history, what is in memory too, and what is made anew. */
const besides = /^(binlog\.|relay\.|ib_logfile|ibtmp|ib_buffer_pool|aria_log\.)/;

/** Bytes of data in a server's data folder, as a copy will have them. */
export async function sizeOf(data: string): Promise<number> {
  const entries = await readdir(data, { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile() && !besides.test(entry.name))
      .map(async ({ parentPath, name }) => {
        const found = await stat(join(parentPath, name)).catch(orGone);
        return found?.size ?? 0;
      }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Tables come and go while it is looked. */
function orGone(error: unknown): null {
  if (isMissing(error)) return null;
  throw error;
}
