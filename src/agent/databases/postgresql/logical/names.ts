import type pg from 'pg';
import { superuser } from '../../../../postgresql/cluster.js';

/**
 * The schema that holds what a database needs to be followed by rows: refusing changes of tables,
 * what to put back afterwards, and what followers may read. It is copied like everything else, so
 * a follower that is promoted can be followed in turn.
 */
export const schema = 'godwit_move';

/** The publication, and the subscription to it. */
export const publication = 'godwit_move';

/** A database of a cluster. */
export interface Named {
  readonly oid: string;
  readonly name: string;
}

/** The databases that move: all but the ones that every cluster has from the beginning. */
export async function databasesOf(client: pg.Client): Promise<Named[]> {
  const { rows } = await client.query<Named>(
    `SELECT oid::text, datname AS name FROM pg_database
      WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' ORDER BY oid`,
  );
  return rows;
}

/** Whether that schema is there, and ours: the app may have one of the same name. */
export async function isPrepared(client: pg.Client): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM pg_namespace WHERE nspname = $1 AND nspowner = $2::regrole',
    [schema, superuser],
  );
  return rowCount !== 0;
}

/** A slot belongs to one database; that of a follower's grant, to one of its databases. */
export function slotName(grant: string, { oid }: Named): string {
  return `${grant}_${oid}`;
}

/** Has a session last as long as it takes, whatever the app has set for its database. Not every version has every limit. */
export async function withoutLimits(client: pg.Client): Promise<void> {
  await client.query(
    `SELECT set_config(name, '0', false) FROM pg_settings
      WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout')`,
  );
}

/** Has the session do what the app may not, as long as it is moved. */
export async function asOurselves(client: pg.Client): Promise<void> {
  await withoutLimits(client);
  await client.query(`SET ${schema}.own = 'on'; SET session_replication_role = replica;
    SET client_encoding = 'UTF8'; SET default_transaction_read_only = off`);
}
