import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { pointed, type Replacement } from '../../../src/migration/data/pointed.js';

const old = 'postgres://app_1:s3cret-password@10.0.0.5:27001/app_1';
const now = 'postgres://app_1:other-password@10.0.9.9:28002/app_1';
const replacement = (from: string, to: string): Replacement => ({ old: from, new: to });
const replacements = [replacement(old, now)];
const own = (variables: Record<string, string>) =>
  Object.entries(variables).map(([name, value]) => ({ name, value }));
const changes = (variables: Record<string, string>) => pointed(own(variables), replacements).set;

describe('variables that name a database', () => {
  it.each([
    [old, now],
    [`${old}?sslmode=disable`, `${now}?sslmode=disable`],
    [`primary=${old}\nreplica=${old}`, `primary=${now}\nreplica=${now}`],
    ['postgresql://reader:x@10.0.0.5:27001/other', 'postgresql://reader:x@10.0.9.9:28002/other'],
    ['host 10.0.0.5:27001, please', 'host 10.0.9.9:28002, please'],
    ['s3cret-password', 'other-password'],
    ['{"password": "s3cret-password"}', '{"password": "other-password"}'],
    [
      'host=10.0.0.5 port=27001 dbname=app_1 user=app_1 password=s3cret-password',
      'host=10.0.9.9 port=28002 dbname=app_1 user=app_1 password=other-password',
    ],
    ['{"host":"10.0.0.5","port":27001}', '{"host":"10.0.9.9","port":28002}'],
    [
      'jdbc:postgresql://10.0.0.5:27001/x?port=27001',
      'jdbc:postgresql://10.0.9.9:28002/x?port=28002',
    ],
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
    const moved = { DB_HOST: '10.0.9.9', DB_PORT: '28002' };
    expect(changes({ DB_HOST: '10.0.0.5', DB_PORT: '27001' })).toEqual(moved);
    const also = { DATABASE_SERVER: '10.0.0.5', DATABASE_PORT: '27001' };
    expect(changes(also)).toEqual({ DATABASE_SERVER: '10.0.9.9', DATABASE_PORT: '28002' });
    expect(changes({ DB_HOSTNAME: '10.0.0.5', OTHER_PORT: '27001' })).toEqual({});
  });

  it('are told by name also when nothing about them changes', () => {
    const same = [replacement(old, old)];
    const variables = { A: '$DATABASE_URL', B: '$OTHER', C: 's3cret-password', D: 'x' };
    expect(pointed(own(variables), same, new Set(['DATABASE_URL']))).toEqual({
      ...{ set: {}, named: ['A', 'C'] },
    });
  });

  it('of several, each by its own', () => {
    const swapped = [replacement('redis://a.test:1000', 'redis://b.test:2000')];
    const back = [replacement('redis://b.test:2000', 'redis://a.test:1000')];
    const value = 'a.test:1000 b.test:2000';
    expect(pointed(own({ A: value }), [...swapped, ...back]).set).toEqual({
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
      const there = pointed(own({ A: value }), replacements).set['A'] ?? value;
      const back = pointed(own({ A: there }), [replacement(now, old)]).set['A'] ?? there;
      expect(back).toBe(value);
      expect(there.includes(old)).toBe(false);
    }),
  );
});
