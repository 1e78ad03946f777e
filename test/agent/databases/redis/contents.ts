import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, RESP_TYPES } from '@redis/client';
import { until } from '../../../../src/shared/until.js';
import { writePause } from '../test-databases.js';

/** A client of the tests, which fails at once rather than waits. */
export function clientOf(url: string, database = 0) {
  const client = createClient({
    url,
    database,
    RESP: 3,
    disableOfflineQueue: true,
    socket: { reconnectStrategy: false },
  });
  client.on('error', () => undefined); // sessions are ended on purpose here
  return client;
}
export type Client = ReturnType<typeof clientOf>;

/** A key of every type and shape, in three databases, with and without an end. */
export async function fill(client: Client): Promise<void> {
  const many = Array.from({ length: 2_000 }, (_, index) => `member-${index}`);
  await client.set('string', 'a string');
  await client.set('number', 42);
  await client.set(Buffer.from([0, 255, 10, 13]), Buffer.from([1, 0, 254]));
  await client.set('ends', 'in an hour', { expiration: { type: 'EX', value: 3_600 } });
  await client.set('large', 'x'.repeat(3_000_000));
  await client.setBit('bits', 70_000, 1);
  await client.rPush('list', ['a', 'b', 'c']);
  await client.rPush('long-list', many);
  await client.sAdd('numbers', ['1', '2', '3']);
  await client.sAdd('set', many);
  await client.hSet('hash', { a: '1', b: '2' });
  await client.hSet('long-hash', Object.fromEntries(many.map((name) => [name, name])));
  await client.zAdd('ranks', [
    { score: 1.5, value: 'a' },
    { score: -2, value: 'b' },
  ]);
  await client.zAdd(
    'long-ranks',
    many.map((value, score) => ({ score, value })),
  );
  await client.pfAdd('hyperloglog', many);
  await client.geoAdd('places', { longitude: 13.36, latitude: 38.11, member: 'Palermo' });
  await client.xAdd('stream', '1-1', { bird: 'godwit' });
  await client.xGroupCreate('stream', 'watchers', '0');
  await client.xAdd('stream', '2-1', { bird: 'tern' });
  await client.xReadGroup('watchers', 'one', { key: 'stream', id: '>' }, { COUNT: 1 });
  await client.functionLoad(
    `#!lua name=birds\nredis.register_function('count', function(keys) return redis.call('INCR', keys[1]) end)`,
  );
  for (const database of [3, 15]) {
    await client.select(database);
    await client.set('string', `of database ${database}`);
    await client.hSet('hash', { database: `${database}` });
  }
  await client.select(0);
}

/** All that a server has, so that two of them can be compared. */
export async function contentsOf(url: string): Promise<Record<string, unknown>> {
  const client = clientOf(url);
  await client.connect();
  const raw = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  const contents: Record<string, unknown> = {
    functions: (await client.functionList()).map(({ library_name }) => library_name),
  };
  try {
    for (let database = 0; database < 16; database += 1) {
      await client.select(database);
      for (const key of await raw.keys('*')) {
        contents[`${database} ${key.toString('latin1')}`] = {
          ends: await client.pExpireTime(key),
          holds: await heldBy(client, key, await raw.dump(key)),
        };
      }
    }
  } finally {
    client.destroy();
  }
  return contents;
}

/** What Redis counts of a stream in each server by itself. */
const ownCounts = new Set(['seen-time', 'entries-read', 'lag']);

/** As `DUMP` has it, unless that depends on what differs between servers: the order of a table. */
async function heldBy(client: Client, key: Buffer, dumped: Buffer): Promise<unknown> {
  switch (await client.type(key)) {
    case 'set':
      return [...(await client.sMembers(key))].sort();
    case 'hash':
      return Object.entries(await client.hGetAll(key)).sort();
    case 'stream': {
      const found = await client.sendCommand([Buffer.from('XINFO'), 'STREAM', key, 'FULL']);
      return JSON.stringify(found, (name, value) => (ownCounts.has(name) ? undefined : value));
    }
    default:
      return dumped.toString('latin1');
  }
}

/** A client that adds to a list all the time, and comes again when it is sent away. */
export class Writer {
  /** What was acknowledged, in order. */
  readonly acknowledged: string[] = [];
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;

  /** @param url where to write now; empty for nowhere */
  constructor(url: () => string) {
    this.#ended = this.#write(url);
  }

  /** Waits until that many more are acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count;
    await until(() => this.acknowledged.length >= wanted, {
      ...{ timeout: 60_000, every: 5, what: 'writes to be acknowledged' },
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#ended;
  }

  async #write(url: () => string): Promise<void> {
    for (let number = 0; !this.#stopping.signal.aborted; ) {
      const client = clientOf(url());
      try {
        await client.connect();
        while (!this.#stopping.signal.aborted) {
          number += 1;
          await client.rPush('written', `${number}`);
          this.acknowledged.push(`${number}`);
          await sleep(writePause);
        }
      } catch {
        await sleep(5); // it is sent away on purpose here
      } finally {
        if (client.isOpen) client.destroy();
      }
    }
  }
}

/** What was acknowledged and is not there any more. */
export async function lostOf(url: string, { acknowledged }: Writer): Promise<string[]> {
  const client = clientOf(url);
  await client.connect();
  const there = new Set(await client.lRange('written', 0, -1));
  client.destroy();
  return acknowledged.filter((one) => !there.has(one));
}
