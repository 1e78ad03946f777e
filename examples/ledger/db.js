import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/** One pool a process. Connections that break (a restart, a switchover) are replaced by new ones. */
export const pool = new pg.Pool({
  connectionString: process.env.SCALINGO_POSTGRESQL_URL ?? process.env.DATABASE_URL,
  max: 10,
  connectionTimeoutMillis: 10_000,
});
// Whether it is idle or lent, or the process would end with it.
pool.on('connect', (client) =>
  client.on('error', (error) => console.error(`a connection broke: ${error.message}`)),
);
pool.on('error', () => undefined); // the connection has told

/** For how long a database that is away is waited for, in milliseconds. */
const patience = 10_000;
/** Nobody listens, or the database is starting or ending (PostgreSQL's `57P01` to `57P03`). */
const away = new Set(['ECONNREFUSED', 'ECONNRESET', '57P01', '57P02', '57P03']);

/**
 * Lends a connection. One that cannot be made is tried again; what was begun on one that then
 * breaks is not, since nobody knows how far it came.
 */
export async function withConnection(use) {
  const client = await connect(Date.now() + patience);
  let broken;
  try {
    return await use(client);
  } catch (error) {
    broken = error;
    throw error;
  } finally {
    client.release(broken);
  }
}

async function connect(deadline) {
  for (;;) {
    try {
      return await pool.connect();
    } catch (error) {
      const passing = away.has(error.code) || /terminated/.test(error.message);
      if (!passing || Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

/** Creates what is missing. Several processes may start together: one does it, the others wait. */
export function prepareSchema() {
  return withConnection(async (client) => {
    await client.query('BEGIN');
    await client.query(`SELECT pg_advisory_xact_lock(hashtext('ledger schema'))`);
    const { rows } = await client.query(`SELECT to_regclass('entries') AS found`);
    if (rows[0].found === null) {
      // No constraint on client and number: an entry that is written twice is to be seen twice.
      await client.query(`
        CREATE TABLE entries (
          received bigserial PRIMARY KEY,
          client text NOT NULL,
          number bigint NOT NULL,
          via text NOT NULL,
          digest text,
          after bigint,
          timeline int NOT NULL DEFAULT
            ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int,
          position pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn()
        );
        CREATE INDEX ON entries (client, number)`);
    }
    await client.query('COMMIT');
  });
}
