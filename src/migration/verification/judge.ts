/**
 * Judges whether a follower holds what its primary holds, while both live. Ranges of keys are
 * looked at three times: in the primary, in the follower once that has all that was seen there, and
 * in the primary again. The follower is right when it shows either. It is wrong when the primary has
 * shown the same twice. Otherwise somebody wrote there, and halves of the range, down to single
 * rows, are judged by themselves.
 */
import type { KeyRange, Look, Position, Seen, SeenRange } from '../../region/model.js';

/** One of two databases that are compared. */
export interface Looked {
  /** See the verb `digest` of the region protocol. */
  digest(part: string, looks: readonly Look[]): Promise<Seen | null>;
}

/** Two databases that are compared, and how to wait. */
export interface Pair {
  readonly primary: Looked & { position(): Promise<Position> };
  readonly follower: Looked & { waitFor(position: Position): Promise<void> };
  /** Waits before the same is looked at again, longer each time. */
  pause(attempt: number): Promise<void>;
}

/** A pair that counts for how long it has been looked at, in milliseconds. */
export interface TimedPair extends Pair {
  readonly took: number;
}

/** What is not the same, or (`unsettled`) was written to whenever it was looked at. */
export interface Finding {
  readonly kind: 'different' | 'unsettled';
  readonly range: KeyRange;
  /** Rows of the primary there; null when it has no such part. */
  readonly primary: number | null;
  readonly follower: number | null;
}

/** A range that has not been found the same yet. */
interface Open {
  readonly range: KeyRange;
  /** How often it was looked at without being halved. */
  readonly attempts: number;
  /** How often in a row it differed while the primary stayed as it was. */
  readonly confirmed: number;
  readonly halvings: number;
  /** For how long it was looked at so far, in milliseconds. */
  readonly took: number;
}

/** How often a row that is always written to is looked at; less often when it is so large that this takes long. */
const attemptsAt = { most: 20, mostOfLarge: 4, largeAfter: 3_000 };
/** How often a row must be found to differ: a follower may show a commit a moment before its primary. */
const confirmations = 2;
/** Ranges that grow while they are halved are not halved for ever. */
const mostHalvings = 48;
/** Ranges that are looked at together. */
const together = 200;

/**
 * @param seen what the primary showed of the range a moment ago
 * @param room after how many differences it is enough
 * @returns what was found, in the order of the keys as far as it was looked at
 */
export async function judge(
  pair: TimedPair,
  part: string,
  range: KeyRange,
  seen: Seen | null,
  room: number,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  let now: Open[] = [{ range, attempts: 0, confirmed: 0, halvings: 0, took: 0 }];
  let later: Open[] = [];
  let since = pair.took;
  for (let before = seen; ; before = await pair.primary.digest(part, now.map(whole))) {
    const differing = await lookAgain(pair, part, now, before);
    const halves = await halve(pair, part, differing);
    const justTook = (pair.took - since) / now.length;
    since = pair.took;
    const open = differing.flatMap((one, at): readonly Open[] => {
      const { range, halvings } = one.open;
      const [attempts, took] = [one.open.attempts + 1, one.open.took + justTook];
      const [pieces, confirmed] = [halves[at], one.isStill ? one.open.confirmed + 1 : 0];
      if (pieces) return pieces;
      const { most, mostOfLarge, largeAfter } = attemptsAt;
      if (confirmed < confirmations && attempts < (took < largeAfter ? most : mostOfLarge)) {
        return [{ range, attempts, confirmed, halvings, took }];
      }
      const kind = confirmed === confirmations ? 'different' : 'unsettled';
      const rows = { primary: one.primary?.rows ?? null, follower: one.follower?.rows ?? null };
      findings.push({ kind, range, ...rows });
      return [];
    });
    later = [...open, ...later];
    if (later.length === 0 || differencesIn(findings) >= room) return findings;
    now = later.splice(0, together);
    const attempts = Math.min(...now.map((one) => one.attempts));
    if (attempts > 0) await pair.pause(attempts);
  }
}

export const differencesIn = (findings: readonly Finding[]) =>
  findings.filter(({ kind }) => kind === 'different').length;

/** A range in which a follower showed something else than its primary before and after. */
interface Differing {
  readonly open: Open;
  /** As it was shown last; null when there is no such part. */
  readonly primary: SeenRange | null;
  readonly follower: SeenRange | null;
  /** Whether the primary showed the same both times. */
  readonly isStill: boolean;
}

/** Looks at ranges in the follower and, where it does not show what the primary did, there once more. */
async function lookAgain(
  { primary, follower }: Pair,
  part: string,
  now: readonly Open[],
  before: Seen | null,
): Promise<Differing[]> {
  await follower.waitFor(before?.position ?? (await primary.position()));
  const found = await follower.digest(part, now.map(whole));
  const doubtful = now.flatMap((open, at) => {
    const [one, other] = [rangeOf(before, at), rangeOf(found, at)];
    return isSame(one, other) ? [] : [{ open, before: one, follower: other }];
  });
  if (doubtful.length === 0) return [];
  const after = await primary.digest(
    part,
    doubtful.map(({ open }) => whole(open)),
  );
  return doubtful.flatMap(({ open, before, follower }, at) => {
    const last = rangeOf(after, at);
    if (isSame(last, follower)) return [];
    return [{ open, primary: last, follower, isStill: isSame(before, last) }];
  });
}

/** The two halves of each range, as whoever has more rows there shows them; null for what cannot be halved. */
async function halve(
  { primary, follower }: Pair,
  part: string,
  differing: readonly Differing[],
): Promise<(Open[] | null)[]> {
  const halves: (Open[] | null)[] = differing.map(() => null);
  for (const side of [primary, follower]) {
    const own = differing.flatMap((one, at) => {
      const rows = { primary: one.primary?.rows ?? 0, follower: one.follower?.rows ?? 0 };
      const more = rows.primary >= rows.follower ? primary : follower;
      const most = Math.ceil(Math.max(rows.primary, rows.follower) / 2);
      const isOne = Math.max(rows.primary, rows.follower) < 2;
      const isMissing = one.primary === null || one.follower === null;
      if (more !== side || isOne || isMissing || one.open.halvings >= mostHalvings) return [];
      return [{ at, open: one.open, look: { ...one.open.range, most } }];
    });
    if (own.length === 0) continue;
    const seen = await side.digest(
      part,
      own.map(({ look }) => look),
    );
    for (const [index, { at, open }] of own.entries()) {
      const { after, to } = open.range;
      const middle = rangeOf(seen, index)?.to ?? to;
      if (middle === to) continue;
      const piece = { attempts: 0, confirmed: 0, halvings: open.halvings + 1, took: 0 };
      halves[at] = [
        { range: { after, to: middle }, ...piece },
        { range: { after: middle, to }, ...piece },
      ];
    }
  }
  return halves;
}

const whole = ({ range }: Pick<Open, 'range'>): Look => ({ ...range, most: null });

const rangeOf = (seen: Seen | null, at: number) => seen?.ranges[at] ?? null;

function isSame(one: SeenRange | null, other: SeenRange | null): boolean {
  return one?.rows === other?.rows && one?.digest === other?.digest;
}
