import type pg from 'pg';
import { withoutLimits } from './names.js';

/**
 * Makes a logical slot, and exports the snapshot from which it streams: what it sees is what the
 * slot does not tell (PostgreSQL documentation, "Streaming Replication Protocol"). The snapshot
 * lasts until the next command of the session, which must be one for replication.
 * @returns the name of the snapshot
 */
export async function createSlot(session: pg.Client, name: string): Promise<string> {
  await withoutLimits(session); // it is idle within a transaction until all is copied
  const stale = await session.query(
    `SELECT FROM pg_replication_slots WHERE slot_name = ${session.escapeLiteral(name)}`,
  );
  if (stale.rowCount !== 0) {
    await session.query(`DROP_REPLICATION_SLOT ${session.escapeIdentifier(name)} WAIT`);
  }
  const { rows } = await session.query<{ snapshot_name: string }>(
    `CREATE_REPLICATION_SLOT ${session.escapeIdentifier(name)} LOGICAL pgoutput (SNAPSHOT 'export')`,
  );
  if (!rows[0]) throw new Error('The primary did not say which snapshot its slot begins at.');
  return rows[0].snapshot_name;
}

/** Makes a slot in the database of the session that streams from now on; the one that is there stays. */
export async function ensureSlot(client: pg.Client, name: string): Promise<void> {
  await client.query(
    `SELECT pg_create_logical_replication_slot($1, 'pgoutput')
      WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`,
    [name],
  );
}
