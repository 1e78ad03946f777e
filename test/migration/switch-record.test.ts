import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { holdOf, marks, parts, partsOf } from '../../src/migration/switch/record.js';

const begin = Date.parse('2026-01-01T00:00:00.000Z');

/** The moments of a switch whose parts took so long. */
function marksAfter(took: readonly number[]) {
  const times = [begin];
  for (const part of took) times.push((times.at(-1) ?? begin) + part);
  return Object.fromEntries(
    marks.slice(0, times.length).map((mark, at) => [mark, new Date(times[at] ?? 0).toISOString()]),
  );
}

const durations = fc.array(fc.integer({ min: 0, max: 60_000 }), {
  minLength: parts.length,
  maxLength: parts.length,
});

describe('the record of a switch', () => {
  it('tells what each part took, and they make up the whole hold', () => {
    fc.assert(
      fc.property(durations, (took) => {
        const found = marksAfter(took);
        expect(partsOf(found)).toEqual(parts.map((part, at) => ({ part, took: took[at] })));
        expect(holdOf(found)).toBe(took.reduce((sum, part) => sum + part, 0));
      }),
    );
  });

  it('has the parts only that have come to their end', () => {
    const found = marksAfter([5, 100]);
    expect(partsOf(found)).toEqual([
      { part: 'drain', took: 5 },
      { part: 'stop', took: 100 },
    ]);
    expect(holdOf(found)).toBeNull();
    expect(partsOf({})).toEqual([]);
  });
});
