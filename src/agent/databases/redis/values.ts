import { z } from 'zod';
import { type Hashed, hashOf, sumOf } from '../hash.js';
import type { Session } from './server.js';

/** What is asked for at a time: so little that nobody waits for that. */
const piece = { bytes: 1_000_000, elements: 500 };

/** A member of a value, with its place where there is an order. */
type Element = readonly (string | Buffer)[];

const word = z.instanceof(Buffer);
const words = z.array(word);
const scanned = z.tuple([word, words]);

/** How values of each type are read, a piece at a time. */
const pieces: Readonly<
  Record<string, (session: Session, key: Buffer) => AsyncGenerator<readonly Element[]>>
> = {
  async *string({ ask }, key) {
    for (let at = 0; ; at += piece.bytes) {
      const found = word.parse(await ask('GETRANGE', key, `${at}`, `${at + piece.bytes - 1}`));
      yield [[`${at}`, found]];
      if (found.length < piece.bytes) return;
    }
  },
  async *list({ ask }, key) {
    for (let at = 0; ; at += piece.elements) {
      const found = words.parse(await ask('LRANGE', key, ...fromPlace(at)));
      yield found.map((one, index) => [`${at + index}`, one]);
      if (found.length < piece.elements) return;
    }
  },
  async *zset({ ask }, key) {
    for (let at = 0; ; at += piece.elements) {
      const found = words.parse(await ask('ZRANGE', key, ...fromPlace(at), 'WITHSCORES'));
      yield pairs(found);
      if (found.length < 2 * piece.elements) return;
    }
  },
  async *set(session, key) {
    for await (const found of scan(session, 'SSCAN', key)) yield found.map((one) => [one]);
  },
  async *hash(session, key) {
    for await (const found of scan(session, 'HSCAN', key)) yield pairs(found);
  },
  async *stream(session, key) {
    yield* entries(session, key);
    yield* groups(session, key);
  },
};

/** What somebody has done meanwhile to what is read: it is another type by now, or gone. */
const changed = /^(WRONGTYPE|NOGROUP|ERR no such key)/;

/**
 * What a key holds and when it ends. What is written while it is read may be seen in part: it will not
 * be the same when it is looked at again.
 * @returns null when there is no such key
 */
export async function hashOfValue(session: Session, key: Buffer): Promise<Hashed | null> {
  const [type, ends] = await Promise.all([
    session.ask('TYPE', key),
    session.ask('PEXPIRETIME', key),
  ]);
  if (type === 'none') return null;
  const read = pieces[`${type}`];
  if (!read) throw new Error(`A value of the type ${type} cannot be compared.`);
  const seen = { bytes: 0, elements: 0, hash: 0n };
  try {
    for await (const elements of read(session, key)) {
      for (const element of elements) {
        seen.elements += 1;
        seen.bytes += element.reduce((sum, one) => sum + one.length, 0);
        seen.hash = sumOf(seen.hash, hashOf(element));
      }
    }
  } catch (error) {
    if (!(error instanceof Error && changed.test(error.message))) throw error;
    return { bytes: seen.bytes, hash: hashOf([error.message]) };
  }
  const hash = hashOf([`${type}`, `${ends}`, `${seen.elements}`, `${seen.hash}`]);
  return { bytes: seen.bytes, hash };
}

const fromPlace = (at: number) => [`${at}`, `${at + piece.elements - 1}`];

const pairs = (flat: readonly Buffer[]): Element[] =>
  flat.flatMap((one, at) => (at % 2 === 0 ? [[one, flat[at + 1] ?? '']] : []));

async function* scan(
  { ask }: Session,
  command: 'SSCAN' | 'HSCAN',
  key: Buffer,
): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const answer = await ask(command, key, cursor, 'COUNT', `${piece.elements}`);
    const [next, found] = scanned.parse(answer);
    yield found;
    cursor = next.toString();
  } while (cursor !== '0');
}

const entry = z.tuple([word, words]);

async function* entries({ ask }: Session, key: Buffer): AsyncGenerator<Element[]> {
  for (let from = '-'; ; ) {
    const found = await ask('XRANGE', key, from, '+', 'COUNT', `${piece.elements}`);
    const some = z.array(entry).parse(found);
    yield some.map(([id, fields]) => ['entry', id, ...fields]);
    const last = some.at(-1);
    if (!last || some.length < piece.elements) return;
    from = `(${last[0]}`;
  }
}

/** In the order in which Redis tells it: the name, consumers, what is pending, and what was delivered last. */
const group = z.tuple([word, word, word, z.number(), word, z.number(), word, word], z.unknown());
const pending = z.tuple([word, word, z.number(), z.number()]);

/** The groups of a stream, and who has been given what. When, and how often, each server counts by itself. */
async function* groups({ ask }: Session, key: Buffer): AsyncGenerator<Element[]> {
  const found = z.array(group).parse(await ask('XINFO', 'GROUPS', key));
  for (const [, name, , , , , , delivered] of found) {
    yield [['group', name, delivered]];
    for (let from = '-'; ; ) {
      const answer = await ask('XPENDING', key, name, from, '+', `${piece.elements}`);
      const some = z.array(pending).parse(answer);
      yield some.map(([id, consumer]) => ['pending', name, id, consumer]);
      const last = some.at(-1);
      if (!last || some.length < piece.elements) break;
      from = `(${last[0]}`;
    }
  }
}
