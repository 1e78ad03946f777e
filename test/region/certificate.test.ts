import { beforeAll, describe, expect, it } from 'vitest';
import {
  judgeCertificate,
  kindOf,
  readChain,
  readKey,
  subjectOf,
} from '../../src/region/certificate.js';
import type { DomainTls } from '../../src/region/model.js';
import { type Authority, createAuthority } from '../certificates.js';

const name = 'www.example.org';
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * 86_400_000);
const judge = (tls: DomainTls) => judgeCertificate(name, tls, { now, until: inDays(30) });

let root: Authority;

beforeAll(async () => {
  root = await createAuthority();
});

describe('a certificate', () => {
  it('is fine with its issuers, or with an authority that clients may know themselves', async () => {
    const alone = await root.issue([name]);
    expect(judge({ ...alone, certificate: alone.certificate + root.certificate })).toEqual({
      flaws: [],
      remarks: [],
    });
    const { flaws, remarks } = judge(alone);
    expect(flaws).toEqual([]);
    expect(remarks).toEqual([expect.stringMatching(/CN=Test Authority, is missing.*must know it/)]);
    const below = await (await root.delegate('Below')).issue(['*.example.org']);
    expect(judge(below).flaws).toEqual([]);
  });

  it.each([
    ['expired', { from: -9, to: -1 }, /^The certificate of www\.example\.org expired on \d{4}-/],
    ['not valid yet', { from: 1 }, /is not valid before \d{4}-.*Replace it, or wait/],
    ['about to expire', { to: 29 }, /expires on .*before .*Replace it first/],
    ['incomplete', { issuerAt: 'http://ca.test/ca.crt' }, /CN=Test Authority, is missing.*Add it/],
  ])('that is %s is told of', async (_, wish, message) => {
    expect(judge(await root.issue([name], wish)).flaws).toEqual([expect.stringMatching(message)]);
  });

  it('with the key of another, or for another name, is told of; several flaws together', async () => {
    const [one, other] = [
      await root.issue([name], { to: -1, from: -2 }),
      await root.issue(['a.test']),
    ];
    expect(judge({ certificate: one.certificate, key: other.key }).flaws).toEqual([
      expect.stringMatching(/expired/),
      expect.stringMatching(/key of www\.example\.org does not match/),
    ]);
    expect(judge(other).flaws).toEqual([expect.stringMatching(/is for DNS:a\.test\. Replace it/)]);
  });

  it('followed by one that did not issue it is incomplete', async () => {
    const below = await (await root.delegate('Below')).issue([name]);
    const { flaws } = judge({ ...below, certificate: below.certificate + root.certificate });
    expect(flaws).toEqual([expect.stringMatching(/CN=Below, is missing/)]);
  });

  it('whose issuer has expired is told of', async () => {
    const below = await root.delegate('Below', { from: -9, to: -1 });
    const own = await below.issue([name]);
    const chain = { ...own, certificate: own.certificate + below.certificate + root.certificate };
    expect(judge(chain).flaws).toEqual([
      expect.stringMatching(
        /issuer "Below", which www\.example\.org shows, expires on .*Replace the chain/,
      ),
    ]);
  });

  it('that only looks as if it were issued by the next one is incomplete', async () => {
    const own = await root.issue([name]);
    const impostor = await createAuthority();
    const { flaws } = judge({ ...own, certificate: own.certificate + impostor.certificate });
    expect(flaws).toEqual([expect.stringMatching(/CN=Test Authority, is missing/)]);
  });

  it('that cannot be read is told of', () => {
    expect(judge({ certificate: 'x', key: 'y' }).flaws).toEqual([
      expect.stringMatching(/cannot be read/),
    ]);
  });
});

it('a pair is described in words', async () => {
  const { certificate, key } = await root.issue([name]);
  const [own] = readChain(certificate + root.certificate) ?? [];
  expect(own && subjectOf(own)).toBe('/CN=www.example.org');
  const read = readKey(key);
  expect(read && kindOf(read)).toBe('EC private key - prime256v1');
  expect(readKey('x')).toBeNull();
  expect(readChain('-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----')).toBeNull();
});
