import { type ColumnType, type Generated, type Kysely, sql } from 'kysely';
import type { PhaseName, Progress, Status, StepStatus, SwitchReport } from './migration.js';

type CreationTime = ColumnType<Date, never, never>;
type NullableTime = ColumnType<Date | null, Date | null, Date | null>;

export interface MigrationTables {
  migrations: {
    id: string;
    app_id: string;
    src_app_name: string;
    dst_app_name: string;
    new_app_id: string | null;
    source: string;
    destination: string;
    status: Status;
    phase: PhaseName | null;
    failed_phase: PhaseName | null;
    /** The durable workflow that runs, or last ran, a phase: `<migration>/<run number>`. */
    run_number: Generated<number>;
    /** Whether the source app was running when finalize began. */
    was_started: boolean | null;
    /** Until when requests may be held. */
    hold_until: NullableTime;
    /** Set before the first promotion is asked for: from then on a follower may be a primary. */
    promoting_at: NullableTime;
    /** The point of no return of finalize: from then on the destination serves. */
    switched_at: NullableTime;
    switch: ColumnType<SwitchReport | null, string | null, string | null>;
    created_at: CreationTime;
    started_at: NullableTime;
    finished_at: NullableTime;
  };
  migration_steps: {
    id: string;
    migration_id: string;
    phase: PhaseName;
    /** Name of the step in the code. */
    key: string;
    ordinal: Generated<number>;
    name: string;
    status: StepStatus;
    logs: string | null;
    progress: ColumnType<Progress | null, string | null, string | null>;
    /** Taken back by a finalize that backed out; it is repeated when finalize is run again. */
    undone: Generated<boolean>;
  };
}

/** Creates the tables that are missing. Safe to call from several servers at once. */
export async function createMigrationTables(db: Kysely<MigrationTables>): Promise<void> {
  await db.transaction().execute(async (tx) => {
    await sql`SELECT pg_advisory_xact_lock(hashtext('godwit migration tables'))`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS migrations (
        id uuid PRIMARY KEY,
        app_id text NOT NULL,
        src_app_name text NOT NULL,
        dst_app_name text NOT NULL,
        new_app_id text,
        source text NOT NULL,
        destination text NOT NULL,
        status text NOT NULL,
        phase text,
        failed_phase text,
        run_number integer NOT NULL DEFAULT 0,
        was_started boolean,
        hold_until timestamptz,
        promoting_at timestamptz,
        switched_at timestamptz,
        switch jsonb,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz,
        finished_at timestamptz
      )`.execute(tx);
    await sql`
      CREATE UNIQUE INDEX IF NOT EXISTS one_open_migration_per_app
        ON migrations (app_id) WHERE status NOT IN ('aborted', 'done')`.execute(tx);
    await sql`
      CREATE INDEX IF NOT EXISTS migrations_by_new_app ON migrations (new_app_id)`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS migration_steps (
        id uuid PRIMARY KEY,
        migration_id uuid NOT NULL REFERENCES migrations ON DELETE CASCADE,
        phase text NOT NULL,
        key text NOT NULL,
        ordinal bigint GENERATED ALWAYS AS IDENTITY,
        name text NOT NULL,
        status text NOT NULL,
        logs text,
        progress jsonb,
        undone boolean NOT NULL DEFAULT false,
        UNIQUE (migration_id, phase, key)
      )`.execute(tx);
  });
}
