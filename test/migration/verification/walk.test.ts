import fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  type PartProgress,
  type WalkedPair,
  walk,
} from '../../../src/migration/verification/walk.js';
import type { Contents, Look, Seen } from '../../../src/region/model.js';

type Rows = Map<number, string>;

/** One row that is written, or (null) removed. */
interface Write {
  readonly key: number;
  readonly value: string | null;
}

function apply(rows: Rows, { key, value }: Write): void {
  if (value === null) rows.delete(key);
  else rows.set(key, value);
}

/**
 * A primary in memory, and a follower that has its writes later: whenever one of them is looked at,
 * the next writes come before.
 */
class LivePair implements WalkedPair {
  readonly #there: Rows;
  readonly #here: Rows;
  readonly #broken: Rows;
  readonly #log: Write[] = [];
  readonly #writes: Write[];
  readonly #burst: number;
  #replayed = 0;
  /** What the follower was asked for, without what lies within another range that it was asked for before. */
  readonly ranges: { after: number; to: number }[] = [];

  /** @param broken rows of the follower that are not what the primary wrote; until they are written anew */
  constructor(rows: Rows, broken: Rows, writes: readonly Write[], burst: number) {
    this.#there = new Map(rows);
    this.#here = new Map(rows);
    this.#broken = broken;
    this.#writes = [...writes];
    this.#burst = burst;
    for (const [key, value] of broken) this.#here.set(key, value);
  }

  get rows(): ReadonlyMap<number, string> {
    return this.#there;
  }

  readonly primary = {
    digest: async (_: string, looks: readonly Look[]): Promise<Seen> => {
      this.#write();
      return this.#seen(this.#there, looks, this.#log.length);
    },
    position: async () => `${this.#log.length}`,
  };

  readonly follower = {
    digest: async (_: string, looks: readonly Look[]): Promise<Seen> => {
      this.#write();
      this.#note(looks);
      this.#replay(this.#replayed + Math.floor((this.#log.length - this.#replayed) / 2));
      return this.#seen(this.#here, looks, this.#replayed);
    },
    waitFor: async (position: string) => this.#replay(Number(position)),
  };

  async contents(): Promise<{ primary: Contents; follower: Contents }> {
    const only = { parts: [{ id: 'rows', name: 'rows', bytes: 1 }], leftOut: [] };
    return { primary: only, follower: only };
  }

  pause = async () => undefined;
  rest = async () => undefined;

  #note(looks: readonly Look[]): void {
    for (const look of looks) {
      const [after, to] = [numberOf(look.after, -1), numberOf(look.to, Infinity)];
      const last = this.ranges.at(-1);
      if (!last || after >= last.to) this.ranges.push({ after, to });
    }
  }

  #write(): void {
    for (const write of this.#writes.splice(0, this.#burst)) {
      apply(this.#there, write);
      this.#log.push(write);
      // What is written anew is right again.
      this.#broken.delete(write.key);
    }
  }

  #replay(to: number): void {
    for (; this.#replayed < to; this.#replayed += 1) {
      const write = this.#log[this.#replayed];
      if (write) apply(this.#here, write);
    }
  }

  /** Of rows in the order of their keys. */
  #seen(rows: Rows, looks: readonly Look[], position: number): Seen {
    const keys = [...rows.keys()].sort((a, b) => a - b);
    const ranges = looks.map(({ after, to, most }) => {
      const [low, high] = [numberOf(after, -1), numberOf(to, Infinity)];
      const within = keys.filter((key) => key > low && key <= high);
      const taken = most === null ? within : within.slice(0, most);
      const isCut = most !== null && within.length >= most;
      const text = taken.map((key) => `${key}=${rows.get(key)}`).join();
      const end = isCut ? `${taken.at(-1)}` : to;
      return { to: end, rows: taken.length, bytes: taken.length * 4_000, digest: text };
    });
    return { ranges, position: `${position}` };
  }
}

const numberOf = (bound: string | null, otherwise: number) =>
  bound === null ? otherwise : Number(bound);

const key = fc.integer({ min: 0, max: 5_000 });
const rowsOf = fc
  .uniqueArray(key, { minLength: 0, maxLength: 2_500, size: 'max' })
  .map((keys): Rows => new Map(keys.map((one) => [one, `v${one}`])));
const writes = fc.array(fc.record({ key, value: fc.option(fc.integer().map((n) => `w${n}`)) }), {
  maxLength: 300,
  size: 'max',
});
const burst = fc.integer({ min: 0, max: 20 });

function fakeTime(): void {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
}

/** Has time go by before something is done. */
const slowly =
  <A extends unknown[], R>(took: number, ask: (...asked: A) => R) =>
  (...asked: A): R => {
    vi.advanceTimersByTime(took);
    return ask(...asked);
  };

async function compared(pair: WalkedPair, known = new Map<string, PartProgress>()) {
  const saved: PartProgress[] = [];
  await walk(pair, known, async (progress) => {
    saved.push(progress);
  });
  return { saved, last: saved.at(-1) };
}

describe('walking a primary and its follower', () => {
  it('looks at all keys exactly once, whatever is written meanwhile, and finds them the same', () =>
    fc.assert(
      fc.asyncProperty(rowsOf, writes, burst, async (rows, changes, at) => {
        const pair = new LivePair(rows, new Map(), changes, at);
        const { last } = await compared(pair);
        expect(last).toMatchObject({ isDone: true, after: null });
        expect(last?.findings.filter(({ kind }) => kind === 'different')).toEqual([]);
        expect(pair.ranges[0]?.after).toBe(-1);
        expect(pair.ranges.at(-1)?.to).toBe(Infinity);
        for (const [index, { after }] of pair.ranges.entries()) {
          if (index > 0) expect(after).toBe(pair.ranges[index - 1]?.to);
        }
      }),
      { numRuns: 30 },
    ));

  it('names exactly the rows that are wrong and stay so', () =>
    fc.assert(
      fc.asyncProperty(
        rowsOf,
        fc.uniqueArray(key, { minLength: 1, maxLength: 8 }),
        writes,
        burst,
        async (rows, wrong, changes, at) => {
          const broken: Rows = new Map(wrong.map((one) => [one, 'broken']));
          const untouched = wrong.filter((one) => !changes.some((write) => write.key === one));
          const pair = new LivePair(rows, broken, changes, at);
          const { last } = await compared(pair);
          const found = last?.findings.filter(({ kind }) => kind === 'different') ?? [];
          const within = ({ range }: (typeof found)[number], one: number) =>
            one > numberOf(range.after, -1) && one <= numberOf(range.to, Infinity);
          for (const one of untouched)
            expect(found.filter((it) => within(it, one))).toHaveLength(1);
          for (const it of found) {
            expect(wrong.some((one) => within(it, one))).toBe(true);
            expect(Math.max(it.primary ?? 0, it.follower ?? 0)).toBe(1);
          }
        },
      ),
      { numRuns: 30 },
    ));

  it('goes on where it was', () =>
    fc.assert(
      fc.asyncProperty(rowsOf, fc.nat({ max: 5 }), async (rows, died) => {
        const whole = await compared(new LivePair(rows, new Map(), [], 0));
        const known = whole.saved[Math.min(died, whole.saved.length - 1)];
        const pair = new LivePair(rows, new Map(), [], 0);
        const { last } = await compared(pair, new Map(known ? [['rows', known]] : []));
        expect(last?.rows ?? known?.rows).toBe(rows.size);
        for (const { after } of pair.ranges) {
          expect(after).toBeGreaterThanOrEqual(numberOf(known?.after ?? null, -1));
        }
      }),
      { numRuns: 15 },
    ));

  it('rests for as long as it looked, not as it waited, and asks for no less where the way is long', async () => {
    fakeTime();
    const rows: Rows = new Map(Array.from({ length: 2_500 }, (_, at) => [at, `v${at}`]));
    const pair = new LivePair(rows, new Map(), [], 0);
    const [looks, replays] = [2_000, 60_000];
    const { primary, follower, pause } = pair;
    const rests: number[] = [];
    const slowPair: WalkedPair = {
      contents: () => pair.contents(),
      primary: { ...primary, digest: slowly(looks, primary.digest) },
      follower: {
        digest: slowly(looks, follower.digest),
        waitFor: slowly(replays, follower.waitFor),
      },
      pause,
      rest: async (took) => void rests.push(took),
    };
    await walk(slowPair, new Map(), async () => undefined);
    expect(rests).toEqual([2 * looks, 2 * looks, 2 * looks]);
  });

  it.each([
    ['little', 10, 20],
    ['long', 2_000, 4],
  ])(
    'gives up a row that is always written to, which takes %s to look at',
    async (_, took, most) => {
      fakeTime();
      const always = Array.from({ length: 500 }, (_, at) => ({ key: 1, value: `w${at}` }));
      const pair = new LivePair(new Map([[1, 'v']]), new Map(), always, 3);
      const { primary, follower, pause, rest } = pair;
      let looks = 0;
      const counted: typeof follower.digest = (...asked) => {
        looks += 1;
        return slowly(took, follower.digest)(...asked);
      };
      const { last } = await compared({
        contents: () => pair.contents(),
        primary: { ...primary, digest: slowly(took, primary.digest) },
        follower: { ...follower, digest: counted },
        ...{ pause, rest },
      });
      expect(last?.findings).toMatchObject([{ kind: 'unsettled', primary: 1, follower: 1 }]);
      expect(looks).toBe(most);
    },
  );

  it('does not name all rows of a table that is another one', async () => {
    const rows: Rows = new Map(Array.from({ length: 3_000 }, (_, at) => [at, `v${at}`]));
    const other: Rows = new Map([...rows.keys()].map((one) => [one, 'other']));
    const { last } = await compared(new LivePair(rows, other, [], 0));
    expect(last?.isDone).toBe(true);
    expect(last?.findings.length).toBeGreaterThanOrEqual(10);
    expect(last?.findings.length).toBeLessThan(300);
  });
});
