import { z } from 'zod';
import type { Contents, Look, Part, Seen } from '../../../region/model.js';
import { lookAt } from '../look.js';
import type { Comparable } from '../product.js';
import { functionsOf, keysOf } from './holdings.js';
import { formatPosition, positionOf } from './position.js';
import type { Session, SessionOptions } from './server.js';

/** What is compared by itself. As JSON, it is the id of the part. */
const compared = z.union([
  z.object({ database: z.number().int() }),
  z.object({ kind: z.literal('functions') }),
]);
type Compared = z.infer<typeof compared>;

/** How long it may take to look at a range, in milliseconds: each time all keys are gone through. */
const patience = 600_000;

/** At most so many times are all keys of a database gone through to divide it, unless it is small. */
const ranges = { most: 16, least: 100_000 };

/** Compares a Redis with its followers, which hold the same keys, in tables of another order. */
export class ComparableRedis implements Comparable {
  readonly #session: <T>(use: (session: Session) => Promise<T>, how?: SessionOptions) => Promise<T>;

  /** @param session lends a session of the agent's own */
  constructor(
    session: <T>(use: (session: Session) => Promise<T>, how?: SessionOptions) => Promise<T>,
  ) {
    this.#session = session;
  }

  async contents(): Promise<Contents> {
    const { databases, used_memory_dataset } = await this.#session((session) => session.info());
    const all = databases.reduce((sum, { keys }) => sum + keys, 0);
    const parts = databases.map(({ number, keys }) => ({
      ...partOf({ database: number }, `database ${number}`),
      bytes: Math.round((used_memory_dataset * keys) / all),
      least: Math.max(ranges.least, Math.ceil(keys / ranges.most)),
    }));
    return { parts: [...parts, partOf({ kind: 'functions' }, 'functions')], leftOut: [] };
  }

  async digest(part: string, looks: readonly Look[]): Promise<Seen> {
    const what = compared.parse(JSON.parse(part));
    return this.#session(
      async (session) => {
        const holding =
          'database' in what ? await keysOf(session, what.database) : functionsOf(session);
        const ranges = await lookAt(holding, looks);
        return { ranges, position: formatPosition(positionOf(await session.info())) };
      },
      { timeout: patience },
    );
  }
}

function partOf(what: Compared, name: string): Part {
  return { id: JSON.stringify(what), name, bytes: 0 };
}
