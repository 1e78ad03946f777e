import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { Accounts } from '../api/auth/accounts.js';
import { type AccountTables, createAccountTables } from '../api/auth/schema.js';

/** Lends the accounts that a control plane keeps in a database, for its operators. */
export async function withAccounts<T>(
  databaseUrl: string,
  use: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const db = new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool }) });
  try {
    await createAccountTables(db);
    return await use(new Accounts(db));
  } finally {
    await db.destroy();
  }
}
