import { z } from 'zod';
import { hashOf } from '../hash.js';
import type { Holding } from '../look.js';
import type { Session } from './server.js';
import { hashOfValue } from './values.js';

const bytes = z.instanceof(Buffer);
const scanned = z.tuple([bytes, z.array(bytes)]);

/** Names that are asked for at a time: so few that nobody waits for that. */
const atOnce = '500';

/** The keys of a numbered database. From now on the session is there. */
export async function keysOf(session: Session, database: number): Promise<Holding> {
  await session.tell('SELECT', `${database}`);
  // A look is no use of a key: it should not keep others from being evicted. Not before Redis 7.2.
  await session.tell('CLIENT', 'NO-TOUCH', 'ON').catch(() => undefined);
  return {
    async *names() {
      let cursor = '0';
      do {
        const [next, names] = scanned.parse(await session.ask('SCAN', cursor, 'COUNT', atOnce));
        yield names.map((name) => name.toString('latin1'));
        cursor = next.toString();
      } while (cursor !== '0');
    },
    read: (name) => hashOfValue(session, Buffer.from(name, 'latin1')),
  };
}

const libraries = z.array(z.array(z.unknown()));

/** The libraries of functions. */
export function functionsOf(session: Session): Holding {
  const codes = new Map<string, Buffer>();
  return {
    async *names() {
      const found = libraries.parse(await session.ask('FUNCTION', 'LIST', 'WITHCODE'));
      for (const fields of found) {
        const field = (wanted: string) =>
          bytes.parse(fields[1 + fields.findIndex((name) => `${name}` === wanted)]);
        codes.set(field('library_name').toString('latin1'), field('library_code'));
      }
      yield [...codes.keys()];
    },
    async read(name) {
      const code = codes.get(name);
      return code ? { bytes: code.length, hash: hashOf([code]) } : null;
    },
  };
}
