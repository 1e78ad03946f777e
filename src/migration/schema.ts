import { type ColumnType, type Generated, type Kysely, sql } from 'kysely';
import type { EventTables } from '../events/schema.js';
import type { User } from '../region/model.js';
import type { PhaseName, Progress, Status, StepStatus, Upgrade, VerifyMode } from './migration.js';
import type { Switches, Switching, TrafficSecond } from './switch/record.js';
import type { ComparedDatabase, VerificationStatus } from './verification/verification.js';
import type { PartProgress } from './verification/walk.js';

type CreationTime = ColumnType<Date, never, never>;
type NullableTime = ColumnType<Date | null, Date | null, Date | null>;

export interface MigrationTables extends EventTables {
  migrations: {
    id: string;
    app_id: string;
    src_app_name: string;
    dst_app_name: string;
    new_app_id: string | null;
    source: string;
    destination: string;
    upgrade: ColumnType<Upgrade, string, never>;
    status: Status;
    phase: PhaseName | null;
    failed_phase: PhaseName | null;
    /** The durable workflow that runs, or last ran, a phase: `<migration>/<run number>`. */
    run_number: Generated<number>;
    /** Whether the app that served was running when the switch began. */
    was_started: boolean | null;
    /** Until when requests may be held. */
    hold_until: NullableTime;
    /** Set before the first promotion is asked for: from then on a follower may be a primary. */
    promoting_at: NullableTime;
    /** The point of no return of finalize: from then on the destination serves. */
    switched_at: NullableTime;
    /** Until when the switch can be taken back. */
    window_closes_at: NullableTime;
    /** The point of no return of rollback: from then on the source serves again. */
    rolled_back_at: NullableTime;
    completed_at: NullableTime;
    remove_source: Generated<boolean>;
    switches: ColumnType<Switches, never, Switches>;
    /** What of the data is compared before a switch. */
    verify: Generated<VerifyMode>;
    /** Counts the changes of the migration and its steps, by triggers: see {@link changeTracking}. */
    version: Generated<string>;
    /** The version at which the migration itself, not a step of it, changed last. */
    changed_in: Generated<string>;
    /** Who asked for it. */
    created_by: ColumnType<User, string, never>;
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
    /** The version of the migration at which this step changed last. */
    changed_in: Generated<string>;
  };
  /** What an edge saw around a switch; apart, since it is much and seldom asked for. */
  switch_traffic: {
    migration_id: string;
    phase: Switching;
    seconds: ColumnType<TrafficSecond[], string, string>;
  };
  /** Comparisons of databases with their followers; one of a migration at a time. */
  verifications: {
    id: string;
    migration_id: string;
    /** The phase that it is a step of; null for one that was asked for by itself. */
    phase: PhaseName | null;
    status: VerificationStatus;
    reason: string | null;
    /** The durable workflow that runs one that was asked for by itself: `<id>/<attempt>`. */
    attempt: Generated<number>;
    started_at: ColumnType<Date, never, never>;
    finished_at: NullableTime;
  };
  verified_databases: {
    verification_id: string;
    /** Its id. */
    addon: string;
    database: ColumnType<Omit<ComparedDatabase, 'parts'>, string, string>;
  };
  verified_parts: {
    verification_id: string;
    addon: string;
    part: string;
    progress: ColumnType<PartProgress, string, string>;
  };
  /** Requests that their clients may repeat, by the key that they gave them. */
  idempotency_keys: {
    app_id: string;
    key: string;
    /** What was asked for. */
    request: string;
    migration_id: string;
    created_at: CreationTime;
  };
}

/** Told, with the id of a migration, whenever anything of it changed. */
export const changesChannel = 'godwit_migration_changes';
/** Told whenever a run should begin. */
export const runsChannel = 'godwit_migration_runs';

/**
 * Every change of a migration or one of its steps gets the next version of that migration, and is
 * told to whoever listens. Taking it locks the migration's row until the change is committed, so
 * that whoever has seen a version has seen all that came before.
 */
const changeTracking = `
  CREATE OR REPLACE FUNCTION godwit_migration_changes() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    NEW.version := OLD.version + 1;
    IF to_jsonb(NEW) - '{version,changed_in}'::text[]
       IS DISTINCT FROM to_jsonb(OLD) - '{version,changed_in}'::text[] THEN
      NEW.changed_in := NEW.version;
    END IF;
    PERFORM pg_notify('${changesChannel}', NEW.id::text);
    IF NEW.run_number <> OLD.run_number THEN PERFORM pg_notify('${runsChannel}', ''); END IF;
    RETURN NEW;
  END $$;
  CREATE OR REPLACE FUNCTION godwit_step_changes() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    UPDATE migrations SET version = version WHERE id = NEW.migration_id
      RETURNING version INTO NEW.changed_in;
    RETURN NEW;
  END $$;
  CREATE OR REPLACE TRIGGER migration_changes BEFORE UPDATE ON migrations
    FOR EACH ROW EXECUTE FUNCTION godwit_migration_changes();
  CREATE OR REPLACE TRIGGER step_changes BEFORE INSERT OR UPDATE ON migration_steps
    FOR EACH ROW EXECUTE FUNCTION godwit_step_changes();`;

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
        version bigint NOT NULL DEFAULT 1,
        changed_in bigint NOT NULL DEFAULT 1,
        created_by jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_at timestamptz,
        finished_at timestamptz
      )`.execute(tx);
    await sql`
      ALTER TABLE migrations
        ADD COLUMN IF NOT EXISTS window_closes_at timestamptz,
        ADD COLUMN IF NOT EXISTS rolled_back_at timestamptz,
        ADD COLUMN IF NOT EXISTS completed_at timestamptz,
        ADD COLUMN IF NOT EXISTS remove_source boolean NOT NULL DEFAULT false,
        ADD COLUMN IF NOT EXISTS upgrade jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN IF NOT EXISTS switches jsonb NOT NULL DEFAULT '{}',
        ADD COLUMN IF NOT EXISTS verify text NOT NULL DEFAULT 'content',
        DROP COLUMN IF EXISTS switch`.execute(tx);
    await sql`DROP INDEX IF EXISTS one_open_migration_per_app`.execute(tx);
    await sql`
      CREATE UNIQUE INDEX IF NOT EXISTS one_migration_at_a_time
        ON migrations (app_id) WHERE status NOT IN ('aborted', 'done', 'rolled-back')`.execute(tx);
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
        changed_in bigint NOT NULL,
        UNIQUE (migration_id, phase, key)
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS switch_traffic (
        migration_id uuid NOT NULL REFERENCES migrations ON DELETE CASCADE,
        phase text NOT NULL,
        seconds jsonb NOT NULL,
        PRIMARY KEY (migration_id, phase)
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS verifications (
        id uuid PRIMARY KEY,
        migration_id uuid NOT NULL REFERENCES migrations ON DELETE CASCADE,
        phase text,
        status text NOT NULL,
        reason text,
        attempt integer NOT NULL DEFAULT 1,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz
      )`.execute(tx);
    await sql`
      CREATE UNIQUE INDEX IF NOT EXISTS one_verification_at_a_time
        ON verifications (migration_id) WHERE status = 'running'`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS verified_databases (
        verification_id uuid NOT NULL REFERENCES verifications ON DELETE CASCADE,
        addon text NOT NULL,
        database jsonb NOT NULL,
        PRIMARY KEY (verification_id, addon)
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS verified_parts (
        verification_id uuid NOT NULL REFERENCES verifications ON DELETE CASCADE,
        addon text NOT NULL,
        part text NOT NULL,
        progress jsonb NOT NULL,
        PRIMARY KEY (verification_id, addon, part)
      )`.execute(tx);
    await sql`
      CREATE TABLE IF NOT EXISTS idempotency_keys (
        app_id text NOT NULL,
        key text NOT NULL,
        request text NOT NULL,
        migration_id uuid NOT NULL REFERENCES migrations ON DELETE CASCADE,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (app_id, key)
      )`.execute(tx);
    await sql.raw(changeTracking).execute(tx);
  });
}
