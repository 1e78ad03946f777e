import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { DomainTls } from '../src/region/model.js';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const day = 86_400_000;

interface Wish {
  /** Days from now. */
  readonly from?: number;
  readonly to?: number;
  /** Where the issuer's certificate is to be had. */
  readonly issuerAt?: string;
}

/** Somebody who issues certificates. */
export interface Authority {
  /** Its own certificate, in PEM. */
  readonly certificate: string;
  /** A certificate for host names, without those of its issuers, and its key. */
  issue(names: readonly string[], wish?: Wish): Promise<DomainTls>;
  /** An authority that this one vouches for. */
  delegate(name: string, wish?: Wish): Promise<Authority>;
}

/** An authority that nobody vouches for. */
export async function createAuthority(name = 'Test Authority'): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...{ keys, name: `CN=${name}`, signingAlgorithm: algorithm },
    ...period({}),
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return authority(certificate, keys.privateKey);
}

function authority(own: x509.X509Certificate, signingKey: webcrypto.CryptoKey): Authority {
  const sign = async (subject: string, extensions: x509.Extension[], wish: Wish) => {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...{ subject, issuer: own.subject, publicKey: keys.publicKey, signingKey, extensions },
      ...{ signingAlgorithm: algorithm },
      ...period(wish),
    });
    return { certificate, key: keys.privateKey };
  };
  return {
    certificate: own.toString('pem'),
    async issue(names, wish = {}) {
      const { certificate, key } = await sign(
        `CN=${names[0]}`,
        [
          new x509.SubjectAlternativeNameExtension(
            names.map((value) => ({ type: 'dns' as const, value })),
          ),
          ...(wish.issuerAt === undefined
            ? []
            : [new x509.AuthorityInfoAccessExtension({ caIssuers: wish.issuerAt })]),
        ],
        wish,
      );
      const exported = await webcrypto.subtle.exportKey('pkcs8', key);
      return {
        certificate: certificate.toString('pem'),
        key: x509.PemConverter.encode(exported, 'PRIVATE KEY'),
      };
    },
    async delegate(name, wish = {}) {
      const constraint = new x509.BasicConstraintsExtension(true, undefined, true);
      const { certificate, key } = await sign(`CN=${name}`, [constraint], wish);
      return authority(certificate, key);
    },
  };
}

function period({ from = -1, to = 365 }: Wish) {
  const now = Date.now();
  return { notBefore: new Date(now + from * day), notAfter: new Date(now + to * day) };
}

function newKeys() {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}
