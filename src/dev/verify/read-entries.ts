import { z } from 'zod';
import { type Door, wayTo } from './door.js';
import { type Entry, entryShape } from './entry.js';

const page = 5_000;

/** Reads all entries from the application that serves now, in the order in which they were received. */
export async function readEntries(door: Door, after = 0): Promise<Entry[]> {
  const { origin, way } = wayTo(door);
  const entries: Entry[] = [];
  try {
    for (;;) {
      const from = entries.at(-1)?.received ?? after;
      const path = `/entries?after=${from}&limit=${page}`;
      const answer = await way.request({ origin, path, method: 'GET' });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
      const read = z.array(entryShape).parse(JSON.parse(text));
      entries.push(...read);
      if (read.length < page) return entries;
    }
  } finally {
    await way.close();
  }
}
