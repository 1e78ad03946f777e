import { z } from 'zod';
import { type Door, wayTo } from './door.js';
import { type Copied, copiedShape, type Entry, entryShape } from './entry.js';

const page = 5_000;

/** Reads all entries from the application that serves now, in the order in which they were received. */
export function readEntries(door: Door, after = 0): Promise<Entry[]> {
  return readPages(door, '/entries', entryShape, after);
}

/** Reads what is in another database of the application, such as `redis`, in the order in which that received it. */
export function readCopy(door: Door, database: string): Promise<Copied[]> {
  return readPages(door, `/entries-in/${database}`, copiedShape, 0);
}

async function readPages<T extends Copied>(
  door: Door,
  path: string,
  shape: z.ZodType<T>,
  after: number,
): Promise<T[]> {
  const { origin, way } = wayTo(door);
  const entries: T[] = [];
  try {
    for (;;) {
      const from = entries.at(-1)?.received ?? after;
      const query = { after: from, limit: page };
      const answer = await way.request({ origin, path, query, method: 'GET' });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
      const read = z.array(shape).parse(JSON.parse(text));
      entries.push(...read);
      if (read.length < page) return entries;
    }
  } finally {
    await way.close();
  }
}
