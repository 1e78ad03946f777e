import { messageOf } from '../../shared/errors.js';
import type { PhaseName } from '../migration.js';
import type { Comparison, StepContext } from '../phase.js';
import { back, there } from '../switch/way.js';
import { Ended, type VerificationStore } from './store.js';
import { findingLines, type Verification } from './verification.js';
import { type Ground, verifyDatabases } from './verify-databases.js';

interface ComparisonParts {
  readonly store: VerificationStore;
  readonly ground: Ground;
  /** Of the time, at most so much is spent on looking at a database. */
  readonly share: number;
  readonly progress: StepContext['progress'];
}

/** Compares as a step of a phase. */
export function comparisonOf(phase: PhaseName, parts: ComparisonParts): Comparison {
  const { store, ground } = parts;
  const migration = ground.migration.id;
  const last = () => store.newest(migration);
  return {
    last,
    async begin() {
      await store.begin(migration, phase);
    },
    async complete() {
      const verification = await last();
      if (!verification) throw new Error('No comparison was begun.');
      await store.resume(verification.id);
      return compare(verification, parts);
    },
  };
}

/**
 * Goes on with a verification to its end.
 * @returns what it came to; it may have been told to end
 * @throws when a database does not answer for long; it has failed then, and can be resumed
 */
export async function compare(
  verification: Verification,
  { store, ground, share, progress }: ComparisonParts,
): Promise<Verification> {
  const { id } = verification;
  // The old primary follows once the switch is done.
  const way = ground.migration.switchedAt === null ? there : back;
  try {
    const databases = await verifyDatabases(ground, way, verification, { store, share, progress });
    const { different } = findingLines(databases);
    if (different.length === 0) await store.end(id, 'equal', null);
    else await store.endDifferent(verification, different);
  } catch (error) {
    if (!(error instanceof Ended)) {
      // What was interrupted goes on; what the databases refused has failed.
      if (!ground.signal.aborted) await store.end(id, 'failed', messageOf(error));
      throw error;
    }
  }
  return store.get(id);
}
