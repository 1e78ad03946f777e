/**
 * Copying a running MariaDB: Godwit, from when a follower is told to follow until it has a copy that it
 * runs on, against `mydumper` into `myloader`, with two threads each. Godwit copies over TLS on
 * loopback, the other way over the servers' sockets, in turn; the medians are compared.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mysql from 'mysql2/promise';
import { pino } from 'pino';
import { Databases } from '../src/agent/databases/databases.js';
import { mariadb } from '../src/agent/databases/mariadb/mariadb.js';
import { superuser } from '../src/agent/databases/mariadb/names.js';
import { findMariadb } from '../src/agent/databases/mariadb/programs.js';
import { record, recordFile } from '../src/agent/databases/mariadb/record.js';
import { bytes } from '../src/shared/bytes.js';
import { newId } from '../src/shared/ids.js';
import { until } from '../src/shared/until.js';
import { median, say, seconds, timed } from './figures.js';

const run = promisify(execFile);
const rows = Number(process.argv[2] ?? 2_000_000);
const rounds = 3;

const programs = await findMariadb();
if (!programs) throw new Error('Install mariadb-server and mariadb-backup.');
await run('mydumper', ['--version']).catch(() => {
  throw new Error('Install mydumper: it and its myloader are the peer.');
});
const { series: version } = programs;
const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
await chmod(dir, 0o755);
const logger = pino({ level: 'silent' });
const product = mariadb({ programs, address: '127.0.0.1', logger });
const databases = new Databases({ dir, products: [product], logger });

async function provision(role: 'primary' | 'empty'): Promise<string> {
  const id = newId();
  await databases.provision(product.name, { id, plan: 'mariadb-sandbox', version, role });
  return id;
}

/** How a superuser reaches a database. */
async function socketOf(id: string) {
  const folder = join(dir, id);
  const { password } = record.parse(JSON.parse(await readFile(recordFile(folder), 'utf8')));
  return { socketPath: join(folder, 'data', 'mariadb.sock'), user: superuser, password };
}

async function godwit(source: string): Promise<number> {
  const follower = randomUUID();
  const twin = await provision('empty');
  const endpoint = await databases.grantFollow({ database: source, follower });
  const took = await timed(async () => {
    await databases.follow({ database: twin, endpoint });
    await until(
      async () => {
        const { stage, reason } = await databases.following({ database: twin });
        if (stage === 'failed') throw new Error(reason ?? stage);
        return stage === 'streaming';
      },
      { timeout: 600_000, every: 5, what: 'the copy' },
    );
  });
  await databases.deprovision(twin);
  await databases.revokeFollow({ database: source, follower });
  return took;
}

async function dumpAndLoad(source: string): Promise<number> {
  const target = await provision('primary');
  const dump = join(dir, 'dump');
  const at = async (id: string) => {
    const { socketPath, user, password } = await socketOf(id);
    return ['-S', socketPath, '-u', user, '-p', password, '-t', '2'];
  };
  const [from, to] = [await at(source), await at(target)];
  const took = await timed(async () => {
    await run('mydumper', [...from, '-B', 'birds', '-o', dump]);
    await run('myloader', [...to, '-d', dump]);
  });
  await rm(dump, { recursive: true });
  await databases.deprovision(target);
  return took;
}

await databases.recover();
try {
  const source = await provision('primary');
  const client = await mysql.createConnection(await socketOf(source));
  await client.query('CREATE DATABASE birds');
  await client.query('USE birds');
  await client.query(
    'CREATE TABLE entries (id bigint PRIMARY KEY, place varchar(50), text text, KEY (place))',
  );
  await client.query(
    `INSERT INTO entries SELECT seq, concat('place ', seq % 1000), concat(md5(seq), md5(seq + 1)) FROM seq_1_to_${rows}`,
  );
  client.destroy();
  const { size } = await databases.inspect({ database: source });
  say(
    `copying MariaDB, ${rows.toLocaleString('en')} rows, ${bytes(size)}, ${rounds} rounds in turn`,
  );
  const took = { godwit: [] as number[], dump: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    took.godwit.push(await godwit(source));
    took.dump.push(await dumpAndLoad(source));
  }
  const ours = median(took.godwit);
  for (const [name, time] of [
    ['godwit', ours],
    ['mydumper, myloader -t2', median(took.dump)],
  ] as const) {
    const speed = `${bytes(size / (time / 1000))}/s`;
    say(
      `  ${name.padEnd(24)}${seconds(time)}  ${speed}  ${(time / ours).toFixed(2)} × the time of godwit`,
    );
  }
} finally {
  await databases.close({ stop: true });
  await rm(dir, { recursive: true, force: true });
}
