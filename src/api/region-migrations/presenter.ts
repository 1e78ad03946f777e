import { z } from 'zod';
import { type Migration, phases, type StepRecord, statuses } from '../../migration/migration.js';

const time = z.iso.datetime();

export const stepShape = z.object({
  id: z.uuid(),
  name: z.string(),
  status: z.enum(['running', 'done', 'error']),
  logs: z.string().nullable(),
  phase: z.enum(phases),
  /** Bytes done and to do, and done a second lately, for steps that take long. */
  progress: z.object({ done: z.number(), total: z.number(), rate: z.number() }).nullable(),
});

export const migrationShape = z.object({
  id: z.uuid(),
  src_app_name: z.string(),
  dst_app_name: z.string(),
  app_id: z.string(),
  new_app_id: z.string().nullable(),
  source: z.string(),
  destination: z.string(),
  status: z.enum(statuses),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  steps: z.array(stepShape),
  created_at: time,
  phase: z.enum(phases).nullable(),
  failed_phase: z.enum(phases).nullable(),
  /** How the switch went for clients; `longest_wait` in milliseconds. */
  switch: z.object({ held: z.number(), longest_wait: z.number() }).nullable(),
});
export type MigrationJson = z.infer<typeof migrationShape>;

/** A migration as the API shows it: the documented attributes first, then ours. */
export function presentMigration(migration: Migration): MigrationJson {
  return {
    id: migration.id,
    src_app_name: migration.srcAppName,
    dst_app_name: migration.dstAppName,
    app_id: migration.appId,
    new_app_id: migration.newAppId,
    source: migration.source,
    destination: migration.destination,
    status: migration.status,
    started_at: migration.startedAt?.toISOString() ?? null,
    finished_at: migration.finishedAt?.toISOString() ?? null,
    steps: migration.steps.map(presentStep),
    created_at: migration.createdAt.toISOString(),
    phase: migration.phase,
    failed_phase: migration.failedPhase,
    switch: migration.switch && {
      held: migration.switch.held,
      longest_wait: migration.switch.longestWait,
    },
  };
}

/** A step as the API shows it: the documented attributes first, then ours. */
export function presentStep({ id, name, status, logs, phase, progress }: StepRecord) {
  return { id, name, status, logs, phase, progress };
}
