import type pg from 'pg';
import { superuser } from '../../../../postgresql/cluster.js';
import { letConnect } from '../queries.js';
import { asOurselves } from './names.js';

/**
 * The role that writes rows into a follower. Checks and generated columns are the app's own code,
 * which a superuser must never run: it could do anything on the host. This role may write
 * everything in its database, like the owners of the tables, and nothing else.
 */
export const writer = 'godwit_writer';

/** Makes the role, or gives it what it lacks. Its login is over the socket in the data folder only. */
export async function ensureWriter(client: pg.Client): Promise<void> {
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [writer]);
  if (known.rowCount === 0) {
    await client.query(`CREATE ROLE ${writer} LOGIN BYPASSRLS`);
  }
  await client.query(`GRANT pg_read_all_data, pg_write_all_data TO ${writer};
    GRANT SET ON PARAMETER session_replication_role TO ${writer}`);
  const { rows } = await client.query<{ name: string }>(
    `SELECT quote_ident(rolname) AS name FROM pg_roles
      WHERE rolname <> $1 AND NOT rolsuper AND NOT starts_with(rolname, 'pg_')`,
    [writer],
  );
  for (const { name } of rows) await client.query(`GRANT ${name} TO ${writer}`);
}

/** What an app may have set for its database, and would keep a subscription from writing, or have it read otherwise. */
const settings = [
  ...['role = none', 'default_transaction_read_only = off', 'lock_timeout = 0'],
  'array_nulls = on',
];

/** What is owned by a superuser is not the writer's by being a member of its owner; nor is a database that is closed. */
export async function grantWriterAll(client: pg.Client): Promise<void> {
  await asOurselves(client);
  await letConnect(client, writer);
  const { rows: own } = await client.query<{ database: string }>(
    'SELECT quote_ident(current_database()) AS database',
  );
  for (const setting of settings) {
    await client.query(`ALTER ROLE ${writer} IN DATABASE ${own[0]?.database} SET ${setting}`);
  }
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind IN ('r', 'p') AND c.relowner = $1::regrole AND n.nspname NOT LIKE 'pg\\_%'
        AND n.nspname <> 'information_schema'`,
    [superuser],
  );
  for (const { name } of rows) await client.query(`GRANT ALL ON TABLE ${name} TO ${writer}`);
}

/** Takes away what it was given in a database; nothing is its own. */
export async function disownWriter(client: pg.Client): Promise<void> {
  await asOurselves(client);
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [writer]);
  if (known.rowCount !== 0) await client.query(`DROP OWNED BY ${writer}`);
}

export async function dropWriter(client: pg.Client): Promise<void> {
  await client.query(`DROP ROLE IF EXISTS ${writer}`);
}
