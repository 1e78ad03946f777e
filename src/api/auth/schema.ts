import { type ColumnType, type Kysely, sql } from 'kysely';

type CreationTime = ColumnType<Date, never, never>;

export interface AccountTables {
  users: {
    id: string;
    username: string;
    email: string;
    created_at: CreationTime;
  };
  tokens: {
    id: string;
    user_id: string;
    name: string;
    /** SHA-256 of the token, in hexadecimal digits; the token itself is known to its user only. */
    hash: string;
    created_at: CreationTime;
    last_used_at: ColumnType<Date | null, never, Date>;
  };
  /** Key pairs that sign session tokens, as JSON Web Keys; the newest signs. */
  signing_keys: {
    id: string;
    private_key: string;
    created_at: CreationTime;
  };
}

/** Creates the tables that are missing. Safe to call from several servers at once. */
export async function createAccountTables(db: Kysely<AccountTables>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('godwit account tables'))`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS users (
        id text PRIMARY KEY,
        username text NOT NULL UNIQUE,
        email text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now()
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS tokens (
        id uuid PRIMARY KEY,
        user_id text NOT NULL REFERENCES users ON DELETE CASCADE,
        name text NOT NULL,
        hash text NOT NULL UNIQUE,
        created_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS signing_keys (
        id uuid PRIMARY KEY,
        private_key text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp()
      )`.execute(tx);
  });
}
