import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { findBinaries } from '../postgresql/binaries.js';
import { Cluster } from '../postgresql/cluster.js';
import { databasePorts, freePort, isFree } from '../shared/free-port.js';
import { newSecret } from '../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../shared/json-file.js';

const record = z.object({ major: z.string(), port: z.number().int(), password: z.string() });

/** Role and database of the control plane. */
const login = 'godwit_server';

export interface EmbeddedPostgresql {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Starts the control plane's own PostgreSQL in `dir`, or takes it over when it runs still.
 * @throws when the host has no PostgreSQL binaries
 */
export async function startEmbeddedPostgresql(dir: string): Promise<EmbeddedPostgresql> {
  await mkdir(dir, { recursive: true });
  const file = recordFile(dir);
  const majors = await findBinaries();
  const known = await readJsonFile(file, record);
  const binaries = known ? majors.find(({ major }) => major === known.major) : majors[0];
  if (!binaries) {
    throw new Error(
      `This host has no PostgreSQL${known ? ` ${known.major}` : ''}. Install it, or give the address of one in DATABASE_URL.`,
    );
  }
  const cluster = new Cluster(dir, () => binaries);
  // While it did not run, somebody else may have taken its port.
  const keepsPort = known && ((await cluster.identity()) || (await isFree(known.port)));
  const port = keepsPort ? known.port : await freePort(databasePorts);
  const password = known?.password ?? newSecret();
  if (!keepsPort) await writeJsonFile(file, { major: binaries.major, port, password });
  await cluster.initialise();
  await cluster.start({
    port,
    settings: { max_connections: 100, shared_buffers: '32MB' },
    // The workflow library looks into `postgres` whether its database exists.
    rules: [login, 'postgres'].map((database) => ({
      type: 'host',
      database,
      user: login,
      from: 'here',
    })),
  });
  await cluster.session(port, async (client) => {
    const role = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [login]);
    if (role.rowCount === 0) {
      await client.query(`CREATE ROLE ${login} LOGIN PASSWORD ${client.escapeLiteral(password)}`);
    }
    const database = await client.query('SELECT FROM pg_database WHERE datname = $1', [login]);
    if (database.rowCount === 0) await client.query(`CREATE DATABASE ${login} OWNER ${login}`);
  });
  return { url: urlOf({ port, password }), stop: () => cluster.stop() };
}

/** Address of the control plane's own PostgreSQL in `dir`; null when there is none. It need not run. */
export async function embeddedPostgresqlUrl(dir: string): Promise<string | null> {
  const known = await readJsonFile(recordFile(dir), record);
  return known && urlOf(known);
}

const recordFile = (dir: string) => join(dir, 'postgresql.json');

function urlOf({ port, password }: { port: number; password: string }): string {
  return `postgres://${login}:${password}@127.0.0.1:${port}/${login}`;
}
