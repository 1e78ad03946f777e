import { z } from 'zod';
import {
  type Migration,
  phases,
  type StepRecord,
  statuses,
  verifyModes,
} from '../../migration/migration.js';
import { presentNewestSwitch, switchShape } from './switch-shape.js';

const time = z.iso.datetime();

export const stepExample = {
  id: 'e61af2eb-52a1-4319-ae63-6934132055d9',
  name: 'Copy the databases and keep them following',
  status: 'running',
  logs: null,
  phase: 'data',
  progress: {
    ...{ done: 31_400_000, total: 448_300_000, rate: 95_000_000 },
    databases: [{ name: 'postgresql', done: 31_400_000, total: 448_300_000, rate: 95_000_000 }],
  },
};

const amount = { done: z.number(), total: z.number(), rate: z.number() };

export const stepShape = z
  .object({
    id: z.uuid(),
    name: z.string(),
    status: z.enum(['running', 'done', 'error']),
    logs: z.string().nullable(),
    phase: z.enum(phases),
    progress: z
      .object({ ...amount, databases: z.array(z.object({ name: z.string(), ...amount })) })
      .nullable()
      .describe(
        'Bytes done and to do, and done a second lately, of steps that take long: in all, and of each database',
      ),
  })
  .meta({ examples: [stepExample] });

export const migrationShape = z
  .object({
    id: z.uuid(),
    src_app_name: z.string(),
    dst_app_name: z.string(),
    app_id: z.string(),
    new_app_id: z.string().nullable(),
    source: z.string(),
    destination: z.string(),
    status: z.enum(statuses),
    started_at: time.nullable(),
    finished_at: time.nullable().describe('Null while a phase runs'),
    steps: z.array(stepShape),
    created_at: time,
    upgrade: z
      .record(z.string(), z.string())
      .describe('Versions that addons have in the destination, by product; others keep theirs'),
    window_closes_at: time.nullable().describe('Until when `rollback` is possible; null before'),
    completed_at: time.nullable().describe('When nothing but the result was left of it'),
    phase: z.enum(phases).nullable().describe('The one that runs, or ran last'),
    failed_phase: z.enum(phases).nullable(),
    verify: z.enum(verifyModes).describe('What of the data is compared before a switch'),
    switch: switchShape.nullable().describe('The newest one; null before'),
  })
  .meta({
    examples: [
      {
        id: 'b0c20b95-5e89-43cb-a44a-7a392a74aeea',
        src_app_name: 'heron',
        dst_app_name: 'heron',
        app_id: '646c87a161d8b2000f7025c3',
        new_app_id: '94c6e6fe29d323bab2bb1a78',
        source: 'osc-fr1',
        destination: 'osc-secnum-fr1',
        status: 'running',
        started_at: '2026-01-01T09:30:51.305Z',
        finished_at: null,
        steps: [stepExample],
        created_at: '2026-01-01T09:30:51.300Z',
        upgrade: { postgresql: '18' },
        window_closes_at: null,
        completed_at: null,
        phase: 'data',
        failed_phase: null,
        verify: 'content',
        switch: null,
      },
    ],
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
    upgrade: migration.upgrade,
    window_closes_at: migration.windowClosesAt?.toISOString() ?? null,
    completed_at: migration.completedAt?.toISOString() ?? null,
    phase: migration.phase,
    failed_phase: migration.failedPhase,
    verify: migration.verify,
    switch: presentNewestSwitch(migration),
  };
}

/** A step as the API shows it: the documented attributes first, then ours. */
export function presentStep({ id, name, status, logs, phase, progress }: StepRecord) {
  const told = progress && { ...progress, databases: [...(progress.databases ?? [])] };
  return { id, name, status, logs, phase, progress: told };
}
