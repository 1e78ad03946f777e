/**
 * Copying a running PostgreSQL 15: Godwit's own receiver of base backups against `pg_basebackup`
 * and, for what a migration by dump would take, `pg_dump` into `pg_restore`. All over TCP on
 * loopback, the first two over TLS and until the disk has it all, in turn; the medians are compared.
 */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { copyCluster } from '../src/postgresql/base-backup/copy-cluster.js';
import { findBinaries } from '../src/postgresql/binaries.js';
import { Cluster } from '../src/postgresql/cluster.js';
import { serviceAccount } from '../src/shared/account.js';
import { bytes } from '../src/shared/bytes.js';
import { freePort } from '../src/shared/free-port.js';
import { createCertificate } from '../src/shared/self-signed.js';
import { median, say, seconds, timed } from './figures.js';

const run = promisify(execFile);
const rows = Number(process.argv[2] ?? 3_000_000);
const rounds = 3;
const [user, password] = ['bench', 'bench'];

const found = (await findBinaries()).find(({ bin }) => bin.startsWith('/usr/lib/postgresql'));
if (!found) throw new Error('Install postgresql-15: its pg_basebackup is the peer.');
const binaries = () => found;
const account = serviceAccount('postgres');
const dir = await mkdtemp(join(tmpdir(), 'godwit-bench-'));
await chmod(dir, 0o755);
const { certificate, privateKey } = await createCertificate('bench');
const [port, emptyPort] = [await freePort(), await freePort()];
const settings = {
  ssl: true,
  ssl_cert_file: 'bench.crt',
  ssl_key_file: 'bench.key',
  max_wal_size: '4GB',
};
const rules = [
  { type: 'host', database: 'replication', user, from: 'here' },
  { type: 'host', database: 'postgres', user, from: 'here' },
] as const;

async function open(name: string, at: number): Promise<Cluster> {
  const cluster = new Cluster(join(dir, name), binaries);
  await cluster.initialise();
  await cluster.writeFile('bench.crt', certificate);
  await cluster.writeFile('bench.key', privateKey);
  await cluster.start({ port: at, settings, rules });
  await cluster.session(at, (client) =>
    client.query(`CREATE ROLE ${user} SUPERUSER LOGIN REPLICATION PASSWORD '${password}'`),
  );
  return cluster;
}

/** An empty folder for a copy, in a folder that the database account can walk. */
async function emptyFolder(name: string): Promise<string> {
  const folder = join(dir, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  if (account) await chown(folder, account.uid, account.gid);
  return folder;
}

const connection = ['-h', '127.0.0.1', '-U', user];
const env = { ...process.env, HOME: '/nonexistent', PGPASSWORD: password, PGSSLMODE: 'require' };
const program = (name: string, args: readonly string[]) =>
  run(join(found.bin, name), args, { env, ...account, cwd: '/' });

/** Nobody is to wait for what another one has left to be written. */
const settled = () => run('sync');

async function godwit(): Promise<number> {
  const copy = new Cluster(join(dir, 'own'), binaries);
  await copy.wipe();
  await copy.makeDataFolder();
  const source = { host: '127.0.0.1', port, user, password, certificate };
  const { data: folder, account: owner } = copy;
  const into = { folder, owner, binaries: copy.binaries, rate: () => null };
  const { signal } = new AbortController();
  await settled();
  return timed(async () => {
    await copyCluster(source, into, () => undefined, signal);
    await copy.sync();
  });
}

async function pgBasebackup(): Promise<number> {
  const folder = await emptyFolder('copy');
  const how = ['-X', 'none', '--checkpoint=fast'];
  await settled();
  return timed(() =>
    program('pg_basebackup', [...connection, '-p', `${port}`, '-D', folder, ...how]),
  );
}

async function dumpAndRestore(empty: Cluster): Promise<number> {
  const folder = await emptyFolder('dump');
  const file = join(folder, 'dump');
  await empty.session(emptyPort, (client) => client.query('DROP TABLE IF EXISTS entries'));
  const at = (where: number) => [...connection, '-p', `${where}`];
  await settled();
  return timed(async () => {
    await program('pg_dump', [...at(port), '-Fc', '-Z0', '-t', 'entries', '-f', file, 'postgres']);
    await program('pg_restore', [...at(emptyPort), '-j2', '-d', 'postgres', file]);
  });
}

const source = await open('source', port);
const empty = await open('empty', emptyPort);
try {
  const size = await source.session(port, async (client) => {
    await client.query(`CREATE TABLE entries (id bigint PRIMARY KEY, place text, text text)`);
    await client.query(
      `INSERT INTO entries SELECT n, 'place ' || n % 1000, md5(n::text) || md5((n + 1)::text)
         FROM generate_series(1, ${rows}) AS n`,
    );
    await client.query('CREATE INDEX ON entries (place)');
    await client.query('VACUUM ANALYZE entries');
    await client.query('CHECKPOINT');
    const found = await client.query<{ size: string }>(
      `SELECT pg_database_size('postgres') AS size`,
    );
    return Number(found.rows[0]?.size);
  });
  say(`copying ${rows.toLocaleString('en')} rows, ${bytes(size)}, ${rounds} rounds in turn`);
  const took = { godwit: [] as number[], pgBasebackup: [] as number[], dump: [] as number[] };
  for (let round = 0; round < rounds; round += 1) {
    took.godwit.push(await godwit());
    took.pgBasebackup.push(await pgBasebackup());
    took.dump.push(await dumpAndRestore(empty));
  }
  const ours = median(took.godwit);
  const speed = (milliseconds: number) => `${bytes(size / (milliseconds / 1000))}/s`;
  const line = (name: string, milliseconds: number) =>
    `  ${name.padEnd(24)}${seconds(milliseconds)}  ${speed(milliseconds)}  ${(milliseconds / ours).toFixed(2)} × the time of godwit`;
  say(line('godwit', ours));
  say(line('pg_basebackup', median(took.pgBasebackup)));
  say(line('pg_dump, pg_restore -j2', median(took.dump)));
} finally {
  await Promise.all([source.crash(), empty.crash()]);
  await rm(dir, { recursive: true, force: true });
}
