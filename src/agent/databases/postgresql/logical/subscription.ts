import type pg from 'pg';
import { parseLsn } from '../../../../postgresql/lsn.js';
import { asOurselves, publication } from './names.js';
import { writer } from './writer.js';

/** Follows a publication from a slot that is there; one that there is already stays. */
export async function subscribe(
  client: pg.Client,
  { connection, slot }: { readonly connection: string; readonly slot: string },
): Promise<void> {
  await asOurselves(client);
  const known = await client.query(
    `SELECT FROM pg_subscription WHERE subname = $1
        AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [publication],
  );
  if (known.rowCount !== 0) return;
  const { rows } = await client.query<{ version: number }>(
    `SELECT current_setting('server_version_num')::int AS version`,
  );
  const isNewer = (rows[0]?.version ?? 0) >= 160_000;
  const options = [
    `create_slot = false, slot_name = ${client.escapeLiteral(slot)}, copy_data = false`,
    'streaming = on',
    // The owners of tables could be bound by their own row security; the subscription's is not.
    ...(isNewer ? ['run_as_owner = true, password_required = false'] : []),
  ];
  // Version 15 wants an owner that is a superuser, and lets it be one no more.
  await client.query(
    `ALTER ROLE ${writer} SUPERUSER;
     CREATE SUBSCRIPTION ${publication} CONNECTION ${client.escapeLiteral(connection)}
       PUBLICATION ${publication} WITH (${options.join(', ')});
     ALTER SUBSCRIPTION ${publication} OWNER TO ${writer};
     ALTER ROLE ${writer} NOSUPERUSER`,
  );
}

/** Follows no more. The slot is the primary's to remove. */
export async function unsubscribe(client: pg.Client): Promise<void> {
  await asOurselves(client);
  const { rowCount } = await client.query(
    `SELECT FROM pg_subscription WHERE subname = $1
        AND subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    [publication],
  );
  if (rowCount === 0) return;
  await client.query(`ALTER SUBSCRIPTION ${publication} DISABLE`);
  await client.query(`ALTER SUBSCRIPTION ${publication} SET (slot_name = NONE)`);
  await client.query(`DROP SUBSCRIPTION ${publication}`);
}

/**
 * Up to where every database has applied what its primary wrote: a worker applies in order, and
 * notes here what it was told last. 0 when one of them is not connected.
 */
export async function appliedPosition(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string | null }>(
    `SELECT max(w.latest_end_lsn)::text AS lsn
       FROM pg_subscription s LEFT JOIN pg_stat_subscription w ON w.subid = s.oid AND w.pid IS NOT NULL
      WHERE s.subname = $1 GROUP BY s.oid`,
    [publication],
  );
  const all = rows.map(({ lsn }) => parseLsn(lsn ?? '0/0'));
  return all.reduce((least, lsn) => (lsn < least ? lsn : least), all[0] ?? 0n);
}

/**
 * Has the disk keep what was applied: subscriptions commit without waiting for that, and a follower
 * that crashes before it is promoted would lack the last of it. Whatever commits in order flushes
 * all that was logged before.
 */
export async function flushApplied(client: pg.Client): Promise<void> {
  await client.query('SET synchronous_commit = on');
  await client.query(`SELECT pg_logical_emit_message(true, '${publication}', 'applied')`);
}
