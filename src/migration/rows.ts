import type { Kysely, Selectable } from 'kysely';
import type { Migration, Standing, StepRecord } from './migration.js';
import type { MigrationTables } from './schema.js';

export type MigrationRow = Selectable<MigrationTables['migrations']>;
type StepRow = Selectable<MigrationTables['migration_steps']>;

/** Migrations of their rows, with their steps in the order in which these began. */
export async function withSteps(
  db: Kysely<MigrationTables>,
  rows: readonly MigrationRow[],
): Promise<Migration[]> {
  if (rows.length === 0) return [];
  const steps = await db
    .selectFrom('migration_steps')
    .selectAll()
    .where(
      'migration_id',
      'in',
      rows.map((row) => row.id),
    )
    .orderBy('ordinal')
    .execute();
  return rows.map((row) =>
    toMigration(
      row,
      steps.filter((step) => step.migration_id === row.id),
    ),
  );
}

function toMigration(row: MigrationRow, steps: readonly StepRow[]): Migration & Standing {
  return {
    id: row.id,
    appId: row.app_id,
    srcAppName: row.src_app_name,
    dstAppName: row.dst_app_name,
    newAppId: row.new_app_id,
    source: row.source,
    destination: row.destination,
    upgrade: row.upgrade,
    status: row.status,
    phase: row.phase,
    failedPhase: row.failed_phase,
    wasStarted: row.was_started,
    holdUntil: row.hold_until,
    promoting: row.promoting_at !== null,
    switchedAt: row.switched_at,
    windowClosesAt: row.window_closes_at,
    rolledBackAt: row.rolled_back_at,
    completedAt: row.completed_at,
    removeSource: row.remove_source,
    switches: row.switches,
    verify: row.verify,
    createdAt: row.created_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
    steps: steps.map(toStepRecord),
  };
}

export function toStepRecord(row: StepRow): StepRecord {
  return {
    id: row.id,
    phase: row.phase,
    name: row.name,
    status: row.status,
    logs: row.logs,
    progress: row.progress,
  };
}
