import type { Bound, Contents, Part } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import {
  differencesIn,
  type Finding,
  judge,
  type Looked,
  type Pair,
  type TimedPair,
} from './judge.js';

/** How far the comparison of a part is, or what it came to. */
export interface PartProgress {
  readonly part: Part;
  /** Up to where it has been compared; null at the beginning. */
  readonly after: Bound | null;
  readonly isDone: boolean;
  /** Compared so far. */
  readonly rows: number;
  readonly bytes: number;
  readonly findings: readonly Finding[];
}

/** Two databases whose parts are compared one after another. */
export interface WalkedPair extends Pair {
  /** What both hold. */
  contents(): Promise<{ readonly primary: Contents; readonly follower: Contents }>;
  /** Waits for as long as the databases are to be left alone after so many milliseconds of looking. */
  rest(took: number): Promise<void>;
}

/** What a look is to come to: few enough to be over soon. */
const aim = { bytes: 10_000_000, milliseconds: 500 };
/** Rows of the first look at a part, and of any. */
const rows = { first: 1_000, most: 100_000 };
/** After so many differences of a part it is clear that it is not the same. */
const mostDifferences = 10;
/** Tables that come while others are compared are compared too, but not for ever. */
const mostPasses = 5;

/**
 * Compares all that a primary or its follower holds, part by part in the order of their ids.
 * @param known how far an earlier walk came; what it has done is not done again
 * @param save told after each look; it may throw to end the walk
 */
export async function walk(
  pair: WalkedPair,
  known: ReadonlyMap<string, PartProgress>,
  save: (progress: PartProgress) => Promise<void>,
): Promise<void> {
  const seen = new Map(known);
  for (let pass = 0; pass < mostPasses; pass += 1) {
    const { primary, follower } = await pair.contents();
    const parts = new Map([...follower.parts, ...primary.parts].map((part) => [part.id, part]));
    const left = [...parts.values()].filter(({ id }) => !seen.get(id)?.isDone);
    if (left.length === 0) return;
    for (const part of left.sort((a, b) => (a.id < b.id ? -1 : 1))) {
      await walkPart(pair, seen.get(part.id) ?? untouched(part), async (progress) => {
        seen.set(part.id, progress);
        await save(progress);
      });
    }
  }
}

const untouched = (part: Part): PartProgress => ({
  ...{ part, after: null, isDone: false, rows: 0, bytes: 0, findings: [] },
});

/** Compares what is left of one part, some rows at a time. */
async function walkPart(
  pair: WalkedPair,
  from: PartProgress,
  save: (progress: PartProgress) => Promise<void>,
): Promise<void> {
  const { id, least = 1 } = from.part;
  let most = Math.max(least, rows.first);
  for (let progress = from; !progress.isDone; ) {
    const looked = new LookedAt(pair);
    const { after } = progress;
    try {
      const ahead = await looked.primary.digest(id, [{ after, to: null, most }]);
      const [seen] = ahead?.ranges ?? [];
      const to = seen?.to ?? null;
      const room = mostDifferences - differencesIn(progress.findings);
      const found = await judge(looked, id, { after, to }, ahead, room);
      const findings = [...progress.findings, ...found];
      progress = {
        part: from.part,
        after: to,
        isDone: to === null || differencesIn(findings) >= mostDifferences,
        rows: progress.rows + (seen?.rows ?? 0),
        bytes: progress.bytes + (seen?.bytes ?? 0),
        findings,
      };
      if (seen && seen.rows > 0) {
        most = Math.max(least, nextMost(most, seen.bytes / seen.rows, looked.took));
      }
      await save(progress);
    } catch (error) {
      if (!(error instanceof Refusal && error.kind === 'too-large') || most === 1) throw error;
      most = Math.ceil(most / 4);
    }
    await pair.rest(looked.took);
  }
}

/** To wait until a follower has replayed is no load, and does not count. */
class LookedAt implements TimedPair {
  readonly primary: Pair['primary'];
  readonly follower: Pair['follower'];
  readonly pause: Pair['pause'];
  took = 0;

  constructor({ primary, follower, pause }: Pair) {
    this.primary = { ...primary, digest: this.#timed(primary.digest) };
    this.follower = { ...follower, digest: this.#timed(follower.digest) };
    this.pause = pause;
  }

  #timed(digest: Looked['digest']): Looked['digest'] {
    return async (part, looks) => {
      const began = performance.now();
      try {
        return await digest(part, looks);
      } finally {
        this.took += performance.now() - began;
      }
    };
  }
}

/**
 * How many rows to look at next, for a look to come to what it should. Below some, it is the way to
 * the databases that takes the time, and fewer rows would not make it shorter.
 */
function nextMost(most: number, rowSize: number, took: number): number {
  const inTime = Math.max((most * aim.milliseconds) / took, rows.first);
  const wanted = Math.min(aim.bytes / Math.max(1, rowSize), inTime);
  return Math.round(Math.max(1, Math.min(wanted, most * 4, rows.most)));
}
