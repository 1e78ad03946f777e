import { bytes } from '../../shared/bytes.js';
import { databasePairs } from '../databases.js';
import type { StepContext } from '../phase.js';
import { sideBySide } from '../side-by-side.js';
import { inWords, trySpeed } from '../speed.js';
import type { Way } from './way.js';

/** A copy gets this much of the time that it will probably take. */
const generosity = 3;

/** For how long requests may be held. */
export interface HoldBudget {
  /** In milliseconds. */
  readonly time: number;
  /** Bytes that are copied meanwhile, since they cannot be before. */
  readonly rest: number;
}

/**
 * For how long a switch may let requests wait: longer where databases cannot be followed, by what is
 * left of them to be copied.
 * @throws when that would take longer than is allowed for
 */
export async function holdBudgetOf(context: StepContext, way: Way): Promise<HoldBudget> {
  const { holdBudget, copyBudget } = context;
  const [from, to] = [way.from(context), way.to(context)];
  const states = await sideBySide(await databasePairs(context), (pair) =>
    to.region.following({ database: to.database(pair) }),
  );
  const waiting = states.filter(({ stage }) => stage === 'waiting');
  const rest = waiting.reduce((sum, { lag }) => sum + (lag ?? 0), 0);
  if (waiting.length === 0) return { time: holdBudget, rest };
  const speed = await trySpeed(from.region, to.region);
  if (typeof speed === 'string') return { time: holdBudget + copyBudget, rest };
  const expected = (rest * 1_000) / speed.rate;
  requireTime(expected, rest, copyBudget);
  return { time: holdBudget + Math.min(copyBudget, Math.ceil(expected * generosity)), rest };
}

/** @throws when copying what is left will probably take longer than is allowed for */
export function requireTime(expected: number, rest: number, copyBudget: number): void {
  if (expected <= copyBudget) return;
  throw new Error(
    `Copying the ${bytes(rest)} that can be copied only while the app is stopped takes about ${inWords(expected)}, and requests may wait for ${inWords(copyBudget)} for that. Delete what is not needed any more, or have the operator allow for more (--copy-seconds).`,
  );
}
