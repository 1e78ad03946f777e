import type pg from 'pg';

/**
 * The schema that holds what a database needs to be followed by rows: refusing changes of tables,
 * what to put back afterwards, and what followers may read. It is copied like everything else, so
 * a follower that is promoted can be followed in turn.
 */
export const schema = 'godwit';

/** The publication, and the subscription to it. */
export const publication = 'godwit';

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

/** A slot belongs to one database; that of a follower's grant, to one of its databases. */
export function slotName(grant: string, { oid }: Named): string {
  return `${grant}_${oid}`;
}

/** Has the session do what the app may not, as long as it is moved. */
export async function asOurselves(client: pg.Client): Promise<void> {
  await client.query(`SET ${schema}.own = 'on'; SET session_replication_role = replica;
    SET client_encoding = 'UTF8'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;
    SET default_transaction_read_only = off`);
}
