/**
 * Copying a running Redis: Godwit's way, over TLS through the door of an agent, against `replicaof`
 * alone, over plain TCP. Both until the copy is whole and on the disk, in turn; the medians are
 * compared. Then writing to one that is followed, against one that is not.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@redis/client';
import type { Database } from '../src/agent/databases/product.js';
import { findRedis } from '../src/agent/databases/redis/binaries.js';
import { readInfo } from '../src/agent/databases/redis/info.js';
import { isInSync } from '../src/agent/databases/redis/progress.js';
import { type Endpoint, endpoint as endpointSchema } from '../src/agent/databases/redis/record.js';
import { redis } from '../src/agent/databases/redis/redis.js';
import { serviceAccount } from '../src/shared/account.js';
import { bytes } from '../src/shared/bytes.js';
import { databasePorts, freePort } from '../src/shared/free-port.js';
import { newId } from '../src/shared/ids.js';
import { createLogger } from '../src/shared/logging.js';
import { dataFolder, Service } from '../src/shared/service.js';
import { until } from '../src/shared/until.js';
import { median, say, seconds, timed } from './figures.js';

const keys = Number(process.argv[2] ?? 1_000_000);
const rounds = 3;
/** Clients that write all the time, and for how long, in milliseconds. */
const [writers, writing] = [8, 4_000];

const [newest] = await findRedis();
if (!newest) throw new Error('Install redis-server: it is what is measured.');
const { path, version } = newest;
const logger = createLogger('bench');
const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
const product = redis({ programs: [newest], address: '127.0.0.1', logger });
const made: { remove(): Promise<unknown> }[] = [];

async function provision(role: 'primary' | 'empty'): Promise<Database> {
  const id = newId();
  const database = await product.provision(join(dir, id), {
    ...{ id, plan: 'redis-sandbox', version, role },
  });
  made.push(database);
  return database;
}

/** A server that follows by nothing but its own settings. */
class PlainFollower extends Service {
  constructor() {
    super(join(dir, newId()), { name: 'Redis', account: serviceAccount('redis') });
    made.push({ remove: () => this.wipe() });
  }

  /** Returns when it has all that its primary has, and on the disk. */
  async follow({ user, password }: Endpoint, port: number): Promise<void> {
    const own = await freePort(databasePorts);
    await this.makeDataFolder();
    const settings = `dir ${dataFolder}\nbind 127.0.0.1\nport ${own}\nsave ""\nappendonly yes
      appendfsync always\nreplicaof 127.0.0.1 ${port}\nmasteruser ${user}\nmasterauth ${password}\n`;
    await this.writeFile('redis.conf', settings);
    await this.launchProcess(path, [`${dataFolder}/redis.conf`]);
    await until(
      async () => {
        const client = createClient({ socket: { port: own, reconnectStrategy: false } });
        client.on('error', () => undefined); // it does not listen yet
        try {
          await client.connect();
          return isInSync(readInfo(await client.info()));
        } catch {
          return false;
        } finally {
          if (client.isOpen) client.destroy();
        }
      },
      { timeout: 600_000, every: 20, what: 'the plain follower' },
    );
  }
}

async function streaming(database: Database): Promise<void> {
  const keepsUp = async () => {
    const { stage, reason } = await database.following();
    if (stage === 'failed') throw new Error(reason ?? stage);
    return stage === 'streaming';
  };
  await until(keepsUp, { timeout: 600_000, every: 20, what: 'the follower' });
}

/** Writes a second, from many clients, each waiting for each answer. */
async function writes(url: string): Promise<number> {
  const end = Date.now() + writing;
  const counts = Array.from({ length: writers }, async (_, writer) => {
    const client = createClient({ url });
    await client.connect();
    let count = 0;
    for (; Date.now() < end; count += 1) await client.set(`bench:${writer}`, `${count}`);
    client.destroy();
    return count;
  });
  const all = (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  return all / (writing / 1000);
}

try {
  const source = await provision('primary');
  const url = source.variables()['REDIS_URL'] ?? '';
  const app = createClient({ url });
  await app.connect();
  const fill = `for n = ARGV[1], ARGV[2] do
    redis.call('SET', 'sighting:' .. n, string.rep(redis.sha1hex(n), 5)) end`;
  for (let from = 1; from <= keys; from += 50_000) {
    const to = Math.min(keys, from + 49_999);
    await app.eval(fill, { arguments: [`${from}`, `${to}`] });
  }
  app.destroy();
  const { size } = await source.inspect();
  const follower = randomUUID();
  const given = await source.grantFollow(follower, { from: [] });
  const endpoint = endpointSchema.parse(given);
  const port = Number(new URL(url).port);
  say(
    `copying a Redis of ${keys.toLocaleString('en')} keys, ${bytes(size)}, ${rounds} rounds in turn`,
  );

  const copy = { godwit: [] as number[], plain: [] as number[] };
  const write = { alone: [] as number[], godwit: [] as number[], plain: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    write.alone.push(await writes(url));
    const twin = await provision('empty');
    const ours = async () => {
      await twin.follow(given);
      await streaming(twin);
    };
    copy.godwit.push(await timed(ours));
    write.godwit.push(await writes(url));
    await twin.remove();
    const peer = new PlainFollower();
    copy.plain.push(await timed(() => peer.follow(endpoint, port)));
    write.plain.push(await writes(url));
    await peer.wipe();
  }
  const line = (name: string, figure: string, ratio: number, what: string) =>
    say(`  ${name.padEnd(24)}${figure}  ${ratio.toFixed(2)} × ${what}`);
  const time = median(copy.godwit);
  line('godwit', seconds(time), 1, 'the time of godwit');
  line('replicaof', seconds(median(copy.plain)), median(copy.plain) / time, 'the time of godwit');
  say(`writing to it, ${writers} clients, ${writing / 1000} s each`);
  const alone = median(write.alone);
  const rate = (figure: number) => `${Math.round(figure)}/s`;
  line('followed by nobody', rate(alone), 1, 'as fast as that');
  line(
    'followed, godwit',
    rate(median(write.godwit)),
    median(write.godwit) / alone,
    'as fast as that',
  );
  line(
    'followed, replicaof',
    rate(median(write.plain)),
    median(write.plain) / alone,
    'as fast as that',
  );
} finally {
  for (const one of made.reverse()) await one.remove();
  await rm(dir, { recursive: true, force: true });
}
