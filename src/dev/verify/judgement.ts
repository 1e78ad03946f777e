import { parseLsn } from '../../postgresql/lsn.js';
import type { Attempted, Entry, Witnessed } from './entry.js';

/** What became of all that was written: each list in lines for people, empty when all is well. */
export interface Judgement {
  /** Acknowledged, and not there. */
  readonly lost: readonly string[];
  /** There more often than it can have been written. */
  readonly doubled: readonly string[];
  /** Later in the order of receipt than one that its client wrote after it. */
  readonly disordered: readonly string[];
  /** There, and nobody wrote it so. */
  readonly strange: readonly string[];
  /** Entries of one history of the database in between those of another, as two primaries would leave them. */
  readonly parted: readonly string[];
  /** How many may be there or not, since nobody answered; the others are there exactly once. */
  readonly unknown: number;
  /** Histories in order: one more with each promotion. */
  readonly timelines: readonly number[];
}

/** Whether nothing is wrong. */
export function isSound({ lost, doubled, disordered, strange, parted }: Judgement): boolean {
  return [lost, doubled, disordered, strange, parted].every((found) => found.length === 0);
}

/**
 * Compares what clients know of their entries with what the database holds at the end.
 * @param witnessed what else was acknowledged, to writers that are not among the clients
 * @param entries all of them, or all from some moment before the first attempt on
 */
export function judge(
  attempted: readonly Attempted[],
  witnessed: readonly Witnessed[],
  entries: readonly Entry[],
): Judgement {
  const byReceipt = [...entries].sort((a, b) => a.received - b.received);
  const found = groups(byReceipt);
  const known = new Map(attempted.map((one) => [keyOf(one), one]));
  const clients = new Set(attempted.map(({ client }) => client));
  const { lost, doubled } = judgeCopy(attempted, witnessed, byReceipt);
  const first = new Map([...byReceipt].reverse().map(({ client, number }) => [client, number]));
  const lostBefore = byReceipt.filter(
    ({ client, after }) =>
      after !== null &&
      after >= (first.get(client) ?? 0) &&
      !found.has(keyOf({ client, number: after })),
  );
  return {
    lost: unique([
      ...lost,
      ...lostBefore.map(({ client, after }) => nameOf({ client, number: after ?? 0 })),
    ]),
    doubled,
    disordered: disorder(byReceipt, known),
    strange: byReceipt.flatMap((one) => oddity(one, known.get(keyOf(one)), clients)),
    parted: parting(byReceipt),
    unknown: attempted.filter(({ unanswered }) => unanswered > 0).length,
    timelines: unique(byReceipt.map(({ timeline }) => timeline)),
  };
}

/**
 * Compares what clients know of their entries with what another database of the application holds, which
 * got each entry before it was acknowledged.
 */
export function judgeCopy(
  attempted: readonly Attempted[],
  witnessed: readonly Witnessed[],
  copied: readonly Witnessed[],
): Pick<Judgement, 'lost' | 'doubled'> {
  const found = groups(copied);
  const known = new Map(attempted.map((one) => [keyOf(one), one]));
  const clients = new Set(attempted.map(({ client }) => client));
  const acknowledged = [
    ...attempted.filter(({ acknowledged }) => acknowledged),
    ...witnessed.filter(({ client }) => !clients.has(client)),
  ];
  const most = (one: Witnessed) => {
    const mine = known.get(keyOf(one));
    return mine ? mine.unanswered + (mine.acknowledged ? 1 : 0) : 1;
  };
  return {
    lost: acknowledged.filter((one) => !found.has(keyOf(one))).map(nameOf),
    doubled: [...found.values()].flatMap((same) => {
      const [one] = same;
      return one && same.length > most(one) ? [`${nameOf(one)} is there ${same.length} times`] : [];
    }),
  };
}

/** A client waits for each answer; only what was sent again may have been overtaken. */
function disorder(entries: readonly Entry[], known: ReadonlyMap<string, Attempted>): string[] {
  const highest = new Map<string, number>();
  return entries.flatMap((entry) => {
    if ((known.get(keyOf(entry))?.unanswered ?? 0) > 0) return [];
    const before = highest.get(entry.client) ?? 0;
    highest.set(entry.client, Math.max(before, entry.number));
    return entry.number < before ? [`${nameOf(entry)} comes after ${before}`] : [];
  });
}

function oddity(
  entry: Entry,
  attempt: Attempted | undefined,
  clients: ReadonlySet<string>,
): string[] {
  if (!attempt) return clients.has(entry.client) ? [`${nameOf(entry)} was never written`] : [];
  return attempt.digest === entry.digest ? [] : [`${nameOf(entry)} holds something else`];
}

/**
 * One primary at a time writes one history, and the next begins where that ends. Whoever wrote to
 * another primary meanwhile either is not in this history at all, and then it is lost, or its entries
 * break the order of histories or of positions in the log between them.
 */
function parting(entries: readonly Entry[]): string[] {
  const lines: string[] = [];
  let end = 0n;
  let highest = 0n;
  let before: Entry | null = null;
  for (const entry of entries) {
    const position = parseLsn(entry.position);
    if (before && entry.timeline < before.timeline) {
      lines.push(
        `${nameOf(entry)} is of history ${entry.timeline}, after one of ${before.timeline}`,
      );
    }
    if (before && entry.timeline > before.timeline) end = highest;
    if (position < end) {
      lines.push(
        `${nameOf(entry)} is at ${entry.position}, before the end of the history before it`,
      );
    }
    if (position > highest) highest = position;
    before = entry;
  }
  return lines;
}

function groups<T extends Witnessed>(entries: readonly T[]): Map<string, T[]> {
  const all = new Map<string, T[]>();
  for (const entry of entries) {
    const same = all.get(keyOf(entry));
    if (same) same.push(entry);
    else all.set(keyOf(entry), [entry]);
  }
  return all;
}

function keyOf({ client, number }: Witnessed): string {
  return `${client} ${number}`;
}

function nameOf({ client, number }: Witnessed): string {
  return `entry ${number} of ${client}`;
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}
