import { expect, it } from 'vitest';
import { differences, type Picture } from '../../src/client/compare.js';

const url = (port: number) => `postgres://app:a-long-secret@127.0.0.1:${port}/app`;

/** An app as two regions show it, when it has a database at that port. */
const picture = (port: number, changes: Partial<Picture> = {}): Picture => ({
  app: [{ force_https: true }],
  variables: [
    { name: 'SCALINGO_POSTGRESQL_URL', value: url(port) },
    { name: 'REPORTS', value: `host=127.0.0.1 port=${port} password=a-long-secret` },
  ],
  containers: [
    { name: 'web', amount: 1 },
    { name: 'worker', amount: 1 },
  ],
  log_drains: [{ url: 'syslog://:very-secret@logs.test:514' }],
  ...changes,
});

const after = (changes: Partial<Picture>) => differences(picture(27001), picture(27002, changes));

it('is satisfied when everything names the database that took the place of the other', () => {
  expect(after({})).toEqual([]);
});

it.each<[string, Partial<Picture>, string[]]>([
  ['a setting', { app: [{ force_https: false }] }, ['app: app has another force_https']],
  [
    'a variable that still names the former database',
    {
      variables: [
        { name: 'SCALINGO_POSTGRESQL_URL', value: url(27002) },
        { name: 'REPORTS', value: 'host=127.0.0.1 port=27001 password=a-long-secret' },
      ],
    },
    ['variables: REPORTS has another value'],
  ],
  [
    'an order',
    { containers: picture(1)['containers']?.toReversed() ?? [] },
    ['containers: they are in another order'],
  ],
  [
    'a drain, without its token',
    { log_drains: [] },
    ['log_drains: syslog://logs.test:514 is missing'],
  ],
  [
    'something new',
    { log_drains: [...(picture(1)['log_drains'] ?? []), { url: 'https://:token@more.test/x' }] },
    ['log_drains: https://more.test is new'],
  ],
])('tells of %s', (_, changes, lines) => {
  expect(after(changes)).toEqual(lines);
});
