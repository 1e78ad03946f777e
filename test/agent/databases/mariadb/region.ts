import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import mysql from 'mysql2/promise';
import { mariadb } from '../../../../src/agent/databases/mariadb/mariadb.js';
import { findMariadb } from '../../../../src/agent/databases/mariadb/programs.js';
import { record, recordFile } from '../../../../src/agent/databases/mariadb/record.js';
import { MariadbServer } from '../../../../src/agent/databases/mariadb/server.js';
import { type Session, withSession } from '../../../../src/agent/databases/mariadb/session.js';
import type { Rate } from '../../../../src/shared/pace.js';
import { type ProcessIdentity, processIdentity } from '../../../../src/shared/processes.js';
import { until } from '../../../../src/shared/until.js';
import type { SmallDisk } from '../small-disk.js';
import { afterwards, kill, logger, TestDatabases } from '../test-databases.js';

/** Null where there is no MariaDB. */
export const programs = await findMariadb();
export const version = programs?.series ?? '';

function installed() {
  if (programs) return programs;
  throw new Error('Install mariadb-server and mariadb-backup: node scripts/setup.mjs --tests');
}

interface RegionOptions {
  /** Of the region's folder, which others can walk through or not. */
  readonly mode?: number;
  readonly copyRate?: Rate;
  readonly disk?: SmallDisk;
}

/** Makes a region of MariaDB databases. */
export async function createRegion({ mode = 0o700, copyRate, disk }: RegionOptions = {}) {
  const product = mariadb({
    ...{ programs: installed(), logger, address: '127.0.0.1' },
    ...(copyRate && { copyRate }),
  });
  const region = await TestDatabases.create(product, disk);
  await chmod(region.dir, mode);
  return region;
}

/** A session of the app. */
export async function connect(
  { databases }: TestDatabases,
  database: string,
): Promise<mysql.Connection> {
  const client = await opened({ uri: databases.variables(database)['SCALINGO_MYSQL_URL'] ?? '' });
  await client.query('SELECT 1');
  return client;
}

/** As {@link connect}, when the database comes back. */
export function reconnect(region: TestDatabases, database: string): Promise<mysql.Connection> {
  return until(() => connect(region, database).catch(() => null), {
    timeout: 60_000,
    what: 'the database to come back',
  });
}

/** A session of a superuser, who the app has none of. */
export async function administer(
  region: TestDatabases,
  database: string,
): Promise<mysql.Connection> {
  return opened({ ...(await superuser(region, database)), database: 'mysql' });
}

async function opened(where: mysql.ConnectionOptions): Promise<mysql.Connection> {
  const client = await mysql.createConnection({ ...where, multipleStatements: true });
  client.on('error', () => undefined); // sessions are ended and servers killed on purpose here
  afterwards(async () => client.destroy());
  return client;
}

/** Lends a session such as the agent's own. */
export async function asSuperuser<T>(
  region: TestDatabases,
  database: string,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const { socketPath, ...login } = await superuser(region, database);
  return withSession({ socketPath }, login, use);
}

async function superuser({ dir }: TestDatabases, database: string) {
  const folder = join(dir, database);
  const { password } = record.parse(JSON.parse(await readFile(recordFile(folder), 'utf8')));
  return { user: 'godwit', password, socketPath: join(folder, 'data', 'mariadb.sock') };
}

export async function serverOf({ dir }: TestDatabases, database: string): Promise<ProcessIdentity> {
  const file = join(dir, database, 'process.json');
  return processIdentity.parse(JSON.parse(await readFile(file, 'utf8')));
}

export async function killServer(region: TestDatabases, database: string): Promise<void> {
  await kill(await serverOf(region, database));
}

/** Waits until a copy is under way. */
export async function copies({ databases }: TestDatabases, database: string): Promise<void> {
  await until(
    async () => {
      const { stage, copied } = await databases.following({ database });
      return stage !== 'copying' || copied > 0;
    },
    { timeout: 60_000, every: 1, what: 'the copy to begin' },
  );
}

/** A server that nobody can follow. */
export class BareServer extends MariadbServer {
  constructor(folder: string) {
    super(folder, installed, '127.0.0.1');
  }

  async launch(): Promise<void> {
    const settings = `--defaults-file=${await this.path()}/godwit.cnf`;
    await this.launchProcess(installed().server, [settings, '--skip-log-bin', '--skip-ssl']);
  }
}
