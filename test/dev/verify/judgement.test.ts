import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attempted, Entry } from '../../../src/dev/verify/entry.js';
import { isSound, judge } from '../../../src/dev/verify/judgement.js';
import { formatLsn } from '../../../src/postgresql/lsn.js';

/** What clients that nobody disturbs know, and what the database holds of it after some promotions. */
const history = fc
  .array(fc.record({ client: fc.constantFrom('a', 'b', 'c'), promoted: fc.boolean() }), {
    minLength: 3,
    maxLength: 60,
  })
  .map((writes) => {
    const attempted: Attempted[] = [];
    const entries: Entry[] = [];
    const last = new Map<string, number>();
    let timeline = 1;
    for (const [index, { client, promoted }] of writes.entries()) {
      if (promoted) timeline += 1;
      const after = last.get(client) ?? null;
      const number = (after ?? 0) + 1;
      last.set(client, number);
      attempted.push({ client, number, digest: null, acknowledged: true, unanswered: 0 });
      entries.push({
        ...{ client, number, after, timeline, via: 'post', digest: null, received: index + 1 },
        position: formatLsn(BigInt((index + 1) * 100)),
      });
    }
    return { attempted, entries };
  });

/** A history, and one of its entries. */
const withOne = history.chain(({ attempted, entries }) =>
  fc.nat(entries.length - 1).map((at) => {
    const one = entries[at];
    if (!one) throw new Error('there is no such entry');
    return { attempted, entries, at, one, name: `entry ${one.number} of ${one.client}` };
  }),
);

describe('the judgement', () => {
  it('finds nothing where nothing is wrong, whoever writes', () => {
    fc.assert(
      fc.property(history, ({ attempted, entries }) => {
        expect(isSound(judge(attempted, [], entries))).toBe(true);
        // As a worker, of whom only the witness knows.
        expect(isSound(judge([], attempted, entries))).toBe(true);
      }),
    );
  });

  it('finds whatever is taken away', () => {
    fc.assert(
      fc.property(withOne, ({ attempted, entries, at, name }) => {
        const rest = entries.toSpliced(at, 1);
        expect(judge(attempted, [], rest).lost).toEqual([name]);
        expect(judge([], attempted, rest).lost).toEqual([name]);
      }),
    );
  });

  it('finds what is there twice, unless a client had to send it twice', () => {
    fc.assert(
      fc.property(withOne, ({ attempted, entries, at, one, name }) => {
        const again = [...entries, { ...one, received: 1_000, position: '1/0', timeline: 100 }];
        expect(judge(attempted, [], again).doubled).toEqual([`${name} is there 2 times`]);
        expect(judge([], attempted, again).doubled).toEqual([`${name} is there 2 times`]);
        const repeated = attempted.map((sent, index) =>
          index === at ? { ...sent, unanswered: 1 } : sent,
        );
        expect(judge(repeated, [], again)).toMatchObject({
          doubled: [],
          disordered: [],
          unknown: 1,
        });
      }),
    );
  });

  it('lets an entry be there or not of which nobody spoke', () => {
    fc.assert(
      fc.property(withOne, ({ attempted, entries, at, one }) => {
        const unsure = attempted.map((sent, index) =>
          index === at ? { ...sent, acknowledged: false, unanswered: 1 } : sent,
        );
        const unnamed = entries.map((entry) =>
          entry.client === one.client && entry.after === one.number
            ? { ...entry, after: null }
            : entry,
        );
        expect(isSound(judge(unsure, [], unnamed))).toBe(true);
        expect(isSound(judge(unsure, [], unnamed.toSpliced(at, 1)))).toBe(true);
      }),
    );
  });

  it('finds what comes in another order than it was written in', () => {
    const { attempted, entries } = three();
    const [first, second, third] = entries;
    const swapped = [first, { ...third, received: 2 }, { ...second, received: 3 }];
    expect(
      judge(
        attempted,
        [],
        swapped.map((entry) => whole(entry ?? {})),
      ).disordered,
    ).toEqual(['entry 2 of a comes after 3']);
  });

  it('finds what nobody wrote, or what was written otherwise', () => {
    const { attempted, entries } = three();
    const other = entries.map((entry) => ({ ...entry, digest: 'another' }));
    expect(judge(attempted, [], other).strange).toHaveLength(3);
    expect(judge(attempted.slice(0, 2), [], entries).strange).toEqual([
      'entry 3 of a was never written',
    ]);
  });

  it('finds entries of two primaries', () => {
    const { attempted, entries } = three();
    const back = entries.map((entry, at) => ({ ...entry, timeline: [1, 2, 1][at] ?? 1 }));
    expect(judge(attempted, [], back).parted).toEqual([
      'entry 3 of a is of history 1, after one of 2',
    ]);
    const early = entries.map((entry, at) => ({
      ...entry,
      timeline: [1, 1, 2][at] ?? 1,
      position: ['0/100', '0/200', '0/150'][at] ?? '0/0',
    }));
    expect(judge(attempted, [], early).parted).toEqual([
      'entry 3 of a is at 0/150, before the end of the history before it',
    ]);
  });
});

function three() {
  const numbers = [1, 2, 3];
  return {
    attempted: numbers.map((number) => ({
      ...{ client: 'a', number, digest: null, acknowledged: true, unanswered: 0 },
    })),
    entries: numbers.map(
      (number): Entry => ({
        ...{ client: 'a', number, after: null, via: 'post', digest: null, received: number },
        ...{ timeline: 1, position: `0/${number}00` },
      }),
    ),
  };
}

function whole(entry: Partial<Entry>): Entry {
  const [one] = three().entries;
  if (!one) throw new Error('there are none');
  return { ...one, ...entry };
}
