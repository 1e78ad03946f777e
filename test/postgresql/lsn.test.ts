import fc from 'fast-check';
import { expect, it } from 'vitest';
import { formatLsn, parseLsn } from '../../src/postgresql/lsn.js';

it('reads what it writes', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (lsn) => {
      expect(parseLsn(formatLsn(lsn))).toBe(lsn);
    }),
  );
  expect(parseLsn('16/B374D848')).toBe(0x16b374d848n);
});

it.each(['', '1', 'x/y', '1/2/3', '123456789/0'])('refuses %j', (text) => {
  expect(() => parseLsn(text)).toThrow();
});
