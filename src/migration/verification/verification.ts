/** What comparing the databases of a migration came to. */
import type { PhaseName } from '../migration.js';
import type { PartProgress } from './walk.js';

export const verificationStatuses = [
  'running',
  /** All that was compared is the same. */
  'equal',
  'different',
  /** It could not be ended; `reason` says why. */
  'failed',
  /** It was told to end, or gave way to a phase. */
  'stopped',
] as const;
export type VerificationStatus = (typeof verificationStatuses)[number];

/** A database of the app, as far as it is compared with its follower. */
export interface ComparedDatabase {
  /** Id of the addon in the source. */
  readonly addon: string;
  readonly product: string;
  readonly version: string;
  /** Bytes on disk of all its parts; null for a product that cannot be compared by content. */
  readonly total: number | null;
  /** What of it is not compared, and why. */
  readonly leftOut: readonly string[];
  readonly parts: readonly PartProgress[];
}

export interface Verification {
  readonly id: string;
  readonly migration: string;
  /** The phase that it is a step of; null for one that was asked for by itself. */
  readonly phase: PhaseName | null;
  readonly status: VerificationStatus;
  readonly reason: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly databases: readonly ComparedDatabase[];
}

/** How far it is, in bytes: a part counts as it lies on the disk, once it is done whole. */
export function progressOf(databases: readonly ComparedDatabase[]): {
  readonly done: number;
  readonly total: number;
} {
  const sum = { done: 0, total: 0 };
  for (const { total, parts } of databases) {
    const done = parts.reduce(
      (bytes, one) => bytes + (one.isDone ? one.part.bytes : Math.min(one.part.bytes, one.bytes)),
      0,
    );
    sum.done += done;
    sum.total += Math.max(total ?? 0, done);
  }
  return sum;
}

/** The differences, and what was always written to, in lines for people. */
export function findingLines(databases: readonly ComparedDatabase[]): {
  readonly different: string[];
  readonly unsettled: string[];
} {
  const lines: { different: string[]; unsettled: string[] } = { different: [], unsettled: [] };
  for (const { parts } of databases) {
    for (const { part, findings } of parts) {
      for (const { kind, range, primary, follower } of findings) {
        const where = `${part.name}, ${between(range)}`;
        if (kind === 'unsettled') lines.unsettled.push(`${where}: written to all the while.`);
        else if (primary === null) lines.different.push(`${part.name}: only the follower has it.`);
        else if (follower === null) lines.different.push(`${part.name}: the follower lacks it.`);
        else {
          lines.different.push(
            `${where}: differs (rows in the primary: ${primary}, in the follower: ${follower}).`,
          );
        }
      }
    }
  }
  return lines;
}

function between({ after, to }: { after: string | null; to: string | null }): string {
  if (after === null && to === null) return 'all of it';
  if (after === null) return `up to ${to}`;
  return to === null ? `after ${after}` : `after ${after} up to ${to}`;
}
