/**
 * Copying a running PostgreSQL 15 into 18 by rows: Godwit, from the grant until the follower
 * streams, against `pgcopydb clone`, which has an empty server to begin with. Both copy four
 * tables with their indexes at a time, in turn; the medians are compared.
 */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Databases } from '../src/agent/databases/databases.js';
import { postgresql } from '../src/agent/databases/postgresql/postgresql.js';
import { findBinaries } from '../src/postgresql/binaries.js';
import { Cluster } from '../src/postgresql/cluster.js';
import { serviceAccount } from '../src/shared/account.js';
import { bytes } from '../src/shared/bytes.js';
import { freePort } from '../src/shared/free-port.js';
import { newId } from '../src/shared/ids.js';
import { until } from '../src/shared/until.js';
import { median, say, seconds, timed } from './figures.js';

const run = promisify(execFile);
const rows = Number(process.argv[2] ?? 2_000_000);
const rounds = 3;
const tables = 4;

const majors = await findBinaries();
const [newest] = majors;
const older = majors.find(({ bin }) => bin.startsWith('/usr/lib/postgresql'));
if (!newest || !older || newest === older) {
  throw new Error('Install postgresql-15 and pgcopydb: two versions are needed, and the peer.');
}
await run('pgcopydb', ['--version']).catch(() => {
  throw new Error('Install pgcopydb, the peer; Debian has it.');
});
const account = serviceAccount('postgres');
const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
await chmod(dir, 0o755);
const logger = pino({ level: 'warn' });
const product = postgresql({ majors, address: '127.0.0.1', logger });
const databases = new Databases({ dir: join(dir, 'databases'), products: [product], logger });
await databases.recover();

async function provision(version: string, role: 'primary' | 'empty'): Promise<string> {
  const id = newId();
  await databases.provision('postgresql', { id, plan: 'postgresql-sandbox', version, role });
  return id;
}

const old = await provision(older.major, 'primary');
const url = new URL(databases.variables(old)['DATABASE_URL'] ?? '');
const source = new Cluster(join(dir, 'databases', old), () => older);
const inApp = { database: url.pathname.slice(1) };

async function godwit(): Promise<number> {
  const twin = await provision(newest?.major ?? '', 'empty');
  const follower = randomUUID();
  const { platform: to } = await databases.inspect({ database: twin });
  const took = await timed(async () => {
    const endpoint = await databases.grantFollow({ database: old, follower, to });
    await databases.follow({ database: twin, endpoint });
    await until(
      async () => {
        const { stage, reason } = await databases.following({ database: twin });
        if (stage === 'failed') throw new Error(reason ?? stage);
        return stage === 'streaming';
      },
      { timeout: 3_600_000, every: 20, what: 'the copy' },
    );
  });
  await databases.deprovision(twin);
  await databases.revokeFollow({ database: old, follower });
  return took;
}

const target = new Cluster(join(dir, 'target'), () => newest);

async function pgcopydb(): Promise<number> {
  const work = join(dir, 'work');
  await mkdir(work);
  if (account) await chown(work, account.uid, account.gid);
  try {
    await target.initialise();
    const port = await freePort();
    const user = url.username;
    const rules = [{ type: 'host', database: user, user, from: 'here' }] as const;
    await target.start({ port, rules, settings: { max_wal_size: '16GB' } });
    await target.session(port, async (client) => {
      await client.query(`CREATE ROLE ${user} SUPERUSER LOGIN PASSWORD '${url.password}'`);
      await client.query(`CREATE DATABASE ${user} OWNER ${user}`);
    });
    const there = new URL(url);
    there.port = String(port);
    const jobs = ['--table-jobs', `${tables}`, '--index-jobs', `${tables}`];
    const from = ['--source', url.href, '--target', there.href, '--dir', join(work, 'pgcopydb')];
    return await timed(() =>
      run('pgcopydb', ['clone', ...from, ...jobs, '--no-owner', '--no-acl'], {
        ...{ cwd: '/', env: { PATH: process.env['PATH'], HOME: work }, ...account },
        maxBuffer: 64 * 1024 * 1024,
      }),
    );
  } finally {
    await target.wipe();
    await rm(work, { recursive: true });
  }
}

try {
  const size = await source.session(
    Number(url.port),
    async (client) => {
      await client.query(`SET ROLE ${url.username}`);
      for (let table = 0; table < tables; table += 1) {
        await client.query(
          `CREATE TABLE entries_${table} (id bigint PRIMARY KEY, place text, text text)`,
        );
        await client.query(
          `INSERT INTO entries_${table} SELECT n, 'place ' || n % 1000, md5(n::text) || md5((n + 1)::text)
             FROM generate_series(1, ${Math.ceil(rows / tables)}) AS n`,
        );
        await client.query(`CREATE INDEX ON entries_${table} (place)`);
      }
      await client.query('RESET ROLE');
      await client.query('VACUUM ANALYZE');
      const { rows: found } = await client.query<{ size: string }>(
        'SELECT pg_database_size(current_database()) AS size',
      );
      return Number(found[0]?.size);
    },
    inApp,
  );
  say(
    `copying ${rows.toLocaleString('en')} rows by rows, ${bytes(size)}, ${rounds} rounds in turn`,
  );
  const took = { godwit: [] as number[], pgcopydb: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    took.godwit.push(await godwit());
    took.pgcopydb.push(await pgcopydb());
  }
  const ours = median(took.godwit);
  for (const [name, figures] of Object.entries(took)) {
    const milliseconds = median(figures);
    const speed = `${bytes(size / (milliseconds / 1000))}/s`;
    say(
      `  ${name.padEnd(24)}${seconds(milliseconds)}  ${speed}  ${(milliseconds / ours).toFixed(2)} × the time of godwit`,
    );
  }
} finally {
  await databases.close({ stop: true });
  await rm(dir, { recursive: true, force: true });
}
