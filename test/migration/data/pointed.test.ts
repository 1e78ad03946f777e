import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pointed, type Replacement } from '../../../src/migration/data/pointed.js';

const old = 'postgres://app_1:s3cret-password@10.0.0.5:27001/app_1';
const now = 'postgres://app_1:other-password@10.0.9.9:28002/app_1';
const replacement = (from: string, to: string): Replacement => ({
  old: [{ name: 'DATABASE_URL', value: from, from: 'a'.repeat(24) }],
  new: [{ name: 'DATABASE_URL', value: to, from: 'b'.repeat(24) }],
});
const replacements = [replacement(old, now)];
const own = (variables: Record<string, string>) =>
  Object.entries(variables).map(([name, value]) => ({ name, value, from: null }));
const changes = (variables: Record<string, string>) => pointed(own(variables), replacements);

describe('variables that name a database', () => {
  it.each([
    [old, now],
    [`${old}?sslmode=disable`, `${now}?sslmode=disable`],
    [`primary=${old}\nreplica=${old}`, `primary=${now}\nreplica=${now}`],
    ['postgresql://reader:x@10.0.0.5:27001/other', 'postgresql://reader:x@10.0.9.9:28002/other'],
    ['host 10.0.0.5:27001, please', 'host 10.0.9.9:28002, please'],
    ['s3cret-password', 'other-password'],
    ['{"password": "s3cret-password"}', '{"password": "other-password"}'],
  ])('by %s', (value, wanted) => {
    expect(changes({ A: value })).toEqual({ A: wanted });
  });

  it.each([
    '$SCALINGO_POSTGRESQL_URL',
    '10.0.0.5:270011',
    '110.0.0.5:27001',
    'x10.0.0.5:27001',
    '27001',
    '10.0.0.5',
    's3cret-passwords',
    '',
  ])('but not by %s', (value) => {
    expect(changes({ A: value })).toEqual({});
  });

  it('by host and port apart, when they belong together', () => {
    expect(changes({ DB_HOST: '10.0.0.5', DB_PORT: '27001' })).toEqual({ DB_PORT: '28002' });
    expect(changes({ DB_HOSTNAME: '10.0.0.5', OTHER_PORT: '27001' })).toEqual({});
  });

  it('of several, each by its own', () => {
    const swapped = [replacement('redis://a.test:1000', 'redis://b.test:2000')];
    const back = [replacement('redis://b.test:2000', 'redis://a.test:1000')];
    const value = 'a.test:1000 b.test:2000';
    expect(pointed(own({ A: value }), [...swapped, ...back])).toEqual({
      A: 'b.test:2000 a.test:1000',
    });
  });
});

it('leaves alone whatever does not name one, and pointing there and back changes nothing', () => {
  const piece = fc.oneof(fc.constantFrom(old, '10.0.0.5:27001', 's3cret-password'), fc.string());
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const value = pieces.join(' ');
      fc.pre(!/10\.0\.9\.9|other-password/.test(value));
      const there = pointed(own({ A: value }), replacements)['A'] ?? value;
      const back = pointed(own({ A: there }), [replacement(now, old)])['A'] ?? there;
      expect(back).toBe(value);
      expect(there.includes(old)).toBe(false);
    }),
  );
});
