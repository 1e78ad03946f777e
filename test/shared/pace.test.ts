import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atPace, Pace } from '../../src/shared/pace.js';

/** What passes, and how much later than it might have each of it comes, in milliseconds. */
const pieces = fc.array(
  fc.record({ bytes: fc.integer({ min: 1, max: 1e6 }), late: fc.integer({ min: 0, max: 500 }) }),
  { minLength: 1, maxLength: 30 },
);
const rates = fc.integer({ min: 1_000, max: 1e9 });

describe('a pace', () => {
  it('lets no more pass in any time than its rate allows, and a tenth of a second of it', () => {
    fc.assert(
      fc.property(rates, pieces, (rate, passing) => {
        let now = 0;
        const pace = new Pace(
          () => rate,
          () => now,
        );
        const passed: { at: number; bytes: number }[] = [];
        for (const { bytes, late } of passing) {
          now += late;
          passed.push({ at: now, bytes });
          now += pace.pass(bytes);
        }
        for (const [first, { at }] of passed.entries()) {
          let sum = 0;
          for (const [offset, { bytes }] of passed.slice(first).entries()) {
            sum += bytes;
            const end = passed[first + offset + 1]?.at ?? now;
            expect(sum).toBeLessThanOrEqual(rate * ((end - at) / 1000 + 0.1) + 1);
          }
        }
      }),
    );
  });

  it('never waits for longer than what passed takes at its rate', () => {
    fc.assert(
      fc.property(rates, pieces, (rate, passing) => {
        let now = 0;
        const pace = new Pace(
          () => rate,
          () => now,
        );
        for (const { bytes, late } of passing) {
          now += late;
          const wait = pace.pass(bytes);
          expect(wait).toBeLessThanOrEqual((bytes / rate) * 1000 + 0.001);
          now += wait;
        }
      }),
    );
  });

  it('changes, and lets everything pass at once when there is no rate any more', async () => {
    let rate: number | null = 1;
    const pace = new Pace(() => rate);
    expect(pace.pass(1_000)).toBeGreaterThan(900_000);
    const waiting = pace.ready();
    rate = null;
    await waiting;
    expect(pace.pass(1e9)).toBe(0);
  });

  it('changes nothing of what passes', async () => {
    const sent = ['a', 'bc', '', 'def'].map((text) => Buffer.from(text));
    const paced = Readable.from(sent, { objectMode: false }).pipe(atPace(new Pace(() => 100)));
    expect((await buffer(paced)).toString()).toBe('abcdef');
  });
});
