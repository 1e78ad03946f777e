import { z } from 'zod';
import { phases } from '../../migration/migration.js';
import {
  findingLines,
  progressOf,
  type Verification,
  verificationStatuses,
} from '../../migration/verification/verification.js';

export const verificationShape = z
  .object({
    id: z.uuid(),
    migration_id: z.uuid(),
    phase: z
      .enum(phases)
      .nullable()
      .describe('The phase that it is a step of; null when it was asked for by itself'),
    status: z.enum(verificationStatuses),
    reason: z.string().nullable().describe('Why it failed or was stopped'),
    started_at: z.iso.datetime(),
    finished_at: z.iso.datetime().nullable(),
    progress: z
      .object({ done: z.number(), total: z.number() })
      .describe('Bytes compared and to compare'),
    differences: z.array(z.string()).describe('What differs, by table and range of keys'),
    unsettled: z
      .array(z.string())
      .describe('What was written to whenever it was looked at, and is not judged'),
    databases: z.array(
      z.object({
        addon_id: z.string(),
        product: z.string(),
        version: z.string(),
        compared: z.boolean().describe('False for a product that is not compared by content'),
        left_out: z.array(z.string()).describe('What of it is not compared, and why'),
        parts: z.array(
          z.object({
            name: z.string(),
            status: z.enum(['running', 'equal', 'different']),
            rows: z.number(),
            bytes: z.number(),
          }),
        ),
      }),
    ),
  })
  .meta({
    examples: [
      {
        id: '8a3c4be2-6a51-4b33-8f55-1f3e6d8f1a11',
        migration_id: 'b0c20b95-5e89-43cb-a44a-7a392a74aeea',
        phase: null,
        status: 'different',
        reason: null,
        started_at: '2026-01-01T09:40:00.000Z',
        finished_at: '2026-01-01T09:40:07.000Z',
        progress: { done: 81_920, total: 81_920 },
        differences: [
          'heron: public.birds, after ["41"] up to ["42"]: differs (rows in the primary: 1, in the follower: 1).',
        ],
        unsettled: [],
        databases: [
          {
            addon_id: '646c87a161d8b2000f7025c4',
            product: 'postgresql',
            version: '18',
            compared: true,
            left_out: [],
            parts: [
              { name: 'heron: public.birds', status: 'different', rows: 1200, bytes: 57_600 },
            ],
          },
        ],
      },
    ],
  });
export type VerificationJson = z.infer<typeof verificationShape>;

/** A comparison of databases as the API shows it. */
export function presentVerification(verification: Verification): VerificationJson {
  const { id, migration, phase, status, reason, startedAt, finishedAt, databases } = verification;
  const { different, unsettled } = findingLines(databases);
  return {
    id,
    migration_id: migration,
    phase,
    status,
    reason,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
    progress: progressOf(databases),
    differences: different,
    unsettled,
    databases: databases.map(({ addon, product, version, total, leftOut, parts }) => ({
      addon_id: addon,
      product,
      version,
      compared: total !== null,
      left_out: [...leftOut],
      parts: parts.map(({ part, isDone, rows, bytes, findings }) => ({
        name: part.name,
        status: findings.some(({ kind }) => kind === 'different')
          ? ('different' as const)
          : isDone
            ? ('equal' as const)
            : ('running' as const),
        rows,
        bytes,
      })),
    })),
  };
}
