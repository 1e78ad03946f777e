import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Pace, Paces } from '../../src/migration/pace.js';

const amounts = fc
  .dictionary(fc.string(), fc.record({ done: fc.nat(), total: fc.nat() }))
  .map((found) => new Map(Object.entries(found)));

it('tells of all together what it tells of each', () => {
  fc.assert(
    fc.property(fc.array(amounts), (sights) => {
      const paces = new Paces();
      for (const sight of sights) {
        const { done, total, databases = [] } = paces.note(sight);
        expect(
          new Map(databases.map((one) => [one.name, { done: one.done, total: one.total }])),
        ).toEqual(sight);
        expect(done).toBe(databases.reduce((sum, one) => sum + one.done, 0));
        expect(total).toBe(databases.reduce((sum, one) => sum + one.total, 0));
      }
    }),
  );
});

it('is how much was done lately, and nothing when it began anew', () => {
  const pace = new Pace();
  expect(pace.note(0, 0)).toBe(0);
  expect(pace.note(1_000, 1_000)).toBe(1_000);
  expect(pace.note(1_500, 2_000)).toBe(750);
  expect(pace.note(10, 3_000)).toBe(0);
});
