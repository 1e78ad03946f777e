import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

/** A database for a control plane. */
export interface Database {
  readonly url: string;
  drop(): Promise<void>;
}

/** Makes a database for a control plane. @returns its address, and how to get rid of it */
export async function createDatabase(): Promise<Database> {
  const server = inject('postgresql');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const run = async (sql: string) => {
    const client = new pg.Client(server);
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  await run(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      // WITH (FORCE) would be refused by an autovacuum at work there; a plain DROP sends it away.
      await run(`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = '${name}' AND usename = current_user`);
      await run(`DROP DATABASE IF EXISTS ${name}`);
    },
  };
}
