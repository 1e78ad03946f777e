import { type ColumnType, type Kysely, sql } from 'kysely';
import type { User } from '../region/model.js';

export interface EventTables {
  events: {
    id: string;
    created_at: ColumnType<Date, never, never>;
    /** Who did it, as they were called then; null when nobody did. */
    user: ColumnType<User | null, string | null, never>;
    user_id: string | null;
    app_id: string;
    /** As it was called then. */
    app_name: string;
    type: string;
    type_data: ColumnType<Record<string, unknown>, string, never>;
    /** When those who want to know were going to be told; null until then. */
    told_at: ColumnType<Date | null, never, Date>;
  };
}

/** Creates the tables that are missing. Safe to call from several servers at once. */
export async function createEventTables(db: Kysely<EventTables>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('godwit event tables'))`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS events (
        id text PRIMARY KEY,
        ordinal bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        "user" jsonb,
        user_id text,
        app_id text NOT NULL,
        app_name text NOT NULL,
        type text NOT NULL,
        type_data jsonb NOT NULL,
        told_at timestamptz
      )`.execute(tx);
    await sql`
      CREATE INDEX IF NOT EXISTS events_by_app ON events (app_id, created_at DESC)`.execute(tx);
    await sql`
      CREATE INDEX IF NOT EXISTS events_by_user ON events (user_id, created_at DESC)`.execute(tx);
    await sql`
      CREATE INDEX IF NOT EXISTS events_by_migration ON events ((type_data ->> 'migration_id'))`.execute(
      tx,
    );
    await sql`
      CREATE INDEX IF NOT EXISTS events_to_tell ON events (ordinal) WHERE told_at IS NULL`.execute(
      tx,
    );
  });
}
