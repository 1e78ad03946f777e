import { z } from 'zod';
import type { Migration } from '../../migration/migration.js';
import {
  holdOf,
  parts,
  partsOf,
  type Switching,
  switching,
  type Traffic,
} from '../../migration/switch/record.js';

const switchExample = {
  phase: 'finalize',
  began_at: '2026-01-01T09:31:20.000Z',
  hold: 812,
  parts: [
    { part: 'drain', took: 6 },
    { part: 'stop', took: 120 },
    { part: 'fence', took: 48 },
    { part: 'catch-up', took: 11 },
    { part: 'promote', took: 102 },
    { part: 'boot', took: 498 },
    { part: 'release', took: 27 },
  ],
  held: 164,
  p50: 397,
  p99: 801,
  longest_wait: 809,
  refused: 0,
  closed: 2,
};

/** A switch as the API shows it. */
export const switchShape = z
  .object({
    phase: z.enum(switching),
    began_at: z.iso.datetime().nullable().describe('From when on requests were held'),
    hold: z.number().nullable().describe('For how long, in milliseconds'),
    parts: z
      .array(z.object({ part: z.enum(parts), took: z.number() }))
      .describe('What that time went to, in order, in milliseconds'),
    held: z.number().describe('Requests that waited'),
    p50: z.number().describe('Half of those waited for at most so long, in milliseconds'),
    p99: z.number().describe('99 of 100 waited for at most so long, in milliseconds'),
    longest_wait: z.number().describe('In milliseconds'),
    refused: z.number().describe('Requests that found no room to wait (503)'),
    closed: z.number().describe('WebSockets and event streams that were closed'),
  })
  .meta({ examples: [switchExample] });
type SwitchJson = z.infer<typeof switchShape>;

/** A switch that is over as the API shows it; null when it is not. */
export function presentSwitch(
  { switches }: Pick<Migration, 'switches'>,
  phase: Switching,
): SwitchJson | null {
  const { marks = {}, clients = null } = switches[phase] ?? {};
  if (clients === null) return null;
  const { held, p50, p99, longestWait, refused, closed } = clients;
  return {
    phase,
    began_at: marks.held ?? null,
    hold: holdOf(marks),
    parts: partsOf(marks),
    ...{ held, p50, p99, longest_wait: longestWait, refused, closed },
  };
}

/** The newest switch of a migration; null before there is one. */
export function presentNewestSwitch(migration: Pick<Migration, 'switches'>): SwitchJson | null {
  return presentSwitch(migration, 'rollback') ?? presentSwitch(migration, 'finalize');
}

export const reportShape = z
  .object({
    id: z.uuid(),
    switches: z.array(
      switchShape.extend({
        traffic: z
          .array(
            z.object({
              at: z.iso.datetime(),
              requests: z.number(),
              failed: z.number(),
              median: z.number(),
              longest: z.number(),
            }),
          )
          .describe(
            'What the edge that held requests answered in each second around the switch, and how long that took, in milliseconds; seconds without a request are left out',
          ),
      }),
    ),
  })
  .meta({
    examples: [
      {
        id: 'b0c20b95-5e89-43cb-a44a-7a392a74aeea',
        switches: [
          {
            ...switchExample,
            traffic: [
              { at: '2026-01-01T09:31:19.000Z', requests: 202, failed: 0, median: 4, longest: 21 },
              { at: '2026-01-01T09:31:20.000Z', requests: 187, failed: 0, median: 6, longest: 809 },
            ],
          },
        ],
      },
    ],
  });
export type ReportJson = z.infer<typeof reportShape>;

/** How the switches of a migration went, as the API shows it. */
export function presentReport(migration: Migration, traffic: Traffic): ReportJson {
  const { id } = migration;
  const switches = switching.flatMap((phase) => {
    const shown = presentSwitch(migration, phase);
    if (!shown) return [];
    const seconds = (traffic[phase] ?? []).map(({ at, ...rest }) => ({
      at: new Date(at).toISOString(),
      ...rest,
    }));
    return [{ ...shown, traffic: seconds }];
  });
  return { id, switches };
}
