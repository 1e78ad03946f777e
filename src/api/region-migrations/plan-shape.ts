import { z } from 'zod';
import { phases } from '../../migration/migration.js';
import type { Plan } from '../../migration/migrations.js';

export const planShape = z
  .object({
    src_app_name: z.string(),
    dst_app_name: z.string(),
    app_id: z.string(),
    source: z.string(),
    destination: z.string(),
    possible: z.boolean().describe('Whether every check of preflight passes now'),
    phases: z.array(
      z.object({
        phase: z.enum(phases),
        steps: z.array(
          z.object({
            name: z.string(),
            status: z
              .enum(['planned', 'running', 'done', 'error'])
              .describe('Checks are `done` or `error`; the rest is `planned`'),
            logs: z.string().nullable().describe('What a check found, or what would be done'),
          }),
        ),
      }),
    ),
  })
  .meta({
    examples: [
      {
        src_app_name: 'heron',
        dst_app_name: 'heron',
        app_id: '646c87a161d8b2000f7025c3',
        source: 'osc-fr1',
        destination: 'osc-secnum-fr1',
        possible: true,
        phases: [
          {
            phase: 'preflight',
            steps: [{ name: 'Check addon versions', status: 'done', logs: null }],
          },
          {
            phase: 'prepare',
            steps: [{ name: 'Import notifiers', status: 'planned', logs: '2 to copy.' }],
          },
        ],
      },
    ],
  });
export type PlanJson = z.infer<typeof planShape>;

/** A plan as the API shows it. */
export function presentPlan({ migration, isPossible, phases }: Plan): PlanJson {
  return {
    src_app_name: migration.srcAppName,
    dst_app_name: migration.dstAppName,
    app_id: migration.appId,
    source: migration.source,
    destination: migration.destination,
    possible: isPossible,
    phases: phases.map(({ phase, steps }) => ({
      phase,
      steps: steps.map(({ name, status, logs }) => ({ name, status, logs })),
    })),
  };
}
