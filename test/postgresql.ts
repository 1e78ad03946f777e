import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { findBinaries } from '../src/postgresql/binaries.js';
import { Cluster } from '../src/postgresql/cluster.js';
import { startEmbeddedPostgresql } from '../src/server/embedded-postgresql.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of a PostgreSQL for the databases of control planes. */
    postgresql: string;
  }
}

/** Starts one PostgreSQL for all test files, rather than one for each. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-tests-'));
  const { url, stop } = await startEmbeddedPostgresql(dir);
  const [binaries] = await findBinaries();
  if (!binaries) throw new Error('There is no PostgreSQL.');
  const { username, port } = new URL(url);
  const cluster = new Cluster(dir, () => binaries);
  await appendFile(
    join(cluster.data, 'pg_hba.conf'),
    `host all ${username} 127.0.0.1/32 scram-sha-256\n`,
  );
  await cluster.reload();
  await cluster.session(Number(port), (client) => client.query(`ALTER ROLE ${username} CREATEDB`));
  project.provide('postgresql', url);
  return async () => {
    await stop();
    await rm(dir, { recursive: true, force: true });
  };
}
