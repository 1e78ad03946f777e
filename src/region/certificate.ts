/** Certificates of domains: what is in them, and what is wrong with them. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import type { DomainTls } from './model.js';

const block = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/**
 * Reads a chain of certificates in PEM, the domain's own first.
 * @returns null when it is none
 */
export function readChain(pem: string): [X509Certificate, ...X509Certificate[]] | null {
  try {
    const [own, ...others] = (pem.match(block) ?? []).map((text) => new X509Certificate(text));
    return own ? [own, ...others] : null;
  } catch {
    return null; // what is between the lines is no certificate
  }
}

/** Reads a private key in PEM. @returns null when it is none, or one with a passphrase */
export function readKey(pem: string): KeyObject | null {
  try {
    return createPrivateKey(pem);
  } catch {
    return null;
  }
}

/** The subject in one line, as `/C=FR/O=Example/CN=www.example.org`. */
export function subjectOf(certificate: X509Certificate): string {
  return (certificate.subject ?? '').replace(/^|\n/g, '/');
}

/** What kind of key it is, such as `RSA private key - 2048 bits`. */
export function kindOf(key: KeyObject): string {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  const type = (key.asymmetricKeyType ?? '').toUpperCase();
  const size = modulusLength === undefined ? namedCurve : `${modulusLength} bits`;
  return [`${type} private key`, ...(size ? [size] : [])].join(' - ');
}

/** What {@link judgeCertificate} found. */
export interface CertificateVerdict {
  /** What keeps clients from trusting it, each with what to do about it. */
  readonly flaws: string[];
  /** What its owner should know. */
  readonly remarks: string[];
}

/**
 * Judges the certificate of a domain.
 * @param until the time up to which it must be valid
 */
export function judgeCertificate(
  name: string,
  tls: DomainTls,
  { now, until }: { now: Date; until: Date },
): CertificateVerdict {
  const chain = readChain(tls.certificate);
  if (!chain) return flawed(`The certificate of ${name} cannot be read. Replace it.`);
  const [own] = chain;
  const flaws: string[] = [];
  const remarks: string[] = [];
  const from = new Date(own.validFrom);
  const to = new Date(own.validTo);
  if (to <= now) {
    flaws.push(`The certificate of ${name} expired on ${to.toISOString()}. Replace it.`);
  } else if (from > now) {
    flaws.push(
      `The certificate of ${name} is not valid before ${from.toISOString()}. Replace it, or wait until then.`,
    );
  } else if (to < until) {
    flaws.push(
      `The certificate of ${name} expires on ${to.toISOString()}, before ${until.toISOString()}, up to which the source may forward requests and cannot be changed. Replace it first.`,
    );
  }
  for (const issuer of issuersOf(chain)) {
    const [since, ends] = [new Date(issuer.validFrom), new Date(issuer.validTo)];
    if (since <= now && ends >= until) continue;
    const when =
      ends < until
        ? `expires on ${ends.toISOString()}`
        : `is not valid before ${since.toISOString()}`;
    flaws.push(
      `The certificate of the issuer "${commonName(issuer)}", which ${name} shows, ${when}. Replace the chain.`,
    );
  }
  const key = readKey(tls.key);
  if (!key || !own.checkPrivateKey(key)) {
    flaws.push(
      `The key of ${name} does not match its certificate. Replace both by a pair that belongs together.`,
    );
  }
  if (!own.checkHost(name)) {
    flaws.push(
      `The certificate of ${name} is for ${own.subjectAltName ?? subjectOf(own)}. Replace it by one for ${name}.`,
    );
  }
  const gap = gapIn(chain);
  if (gap?.isCertain) flaws.push(`${gap.what} in the certificate of ${name}. Add it to the chain.`);
  else if (gap) {
    remarks.push(
      `${gap.what} in the certificate of ${name}, and it is none of the well-known authorities. Clients must know it themselves.`,
    );
  }
  return { flaws, remarks };
}

const flawed = (flaw: string): CertificateVerdict => ({ flaws: [flaw], remarks: [] });

let wellKnown: ReadonlySet<string> | undefined;

/** Subjects of the authorities that clients usually know. */
function authorities(): ReadonlySet<string> {
  wellKnown ??= new Set(rootCertificates.map((pem) => new X509Certificate(pem).subject));
  return wellKnown;
}

/**
 * Where a chain breaks off before an authority that clients know. It certainly does when the
 * certificate tells where its issuer's can be had, as those of public authorities do; otherwise
 * the issuer may be an authority of the owner's own.
 */
function gapIn(chain: readonly X509Certificate[]): { what: string; isCertain: boolean } | null {
  for (const [at, certificate] of chain.entries()) {
    if (certificate.checkIssued(certificate)) return null;
    const next = chain[at + 1];
    if (next && isIssuedBy(certificate, next)) continue;
    if (authorities().has(certificate.issuer)) return null;
    const issuer = certificate.issuer.replaceAll('\n', ', ');
    const isCertain = next !== undefined || /CA Issuers/.test(certificate.infoAccess ?? '');
    return { what: `The issuer of "${commonName(certificate)}", ${issuer}, is missing`, isCertain };
  }
  return null;
}

/** The issuers that clients need of a chain; a root they have themselves, or not at all. */
function issuersOf(chain: readonly X509Certificate[]): X509Certificate[] {
  return chain.slice(1).filter((certificate) => !certificate.checkIssued(certificate));
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function commonName({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject ?? '')?.[1] ?? subject ?? '';
}
