import { generate } from 'selfsigned';

/** A certificate that stands for itself alone, and its key; both in PEM. */
export interface Certificate {
  readonly certificate: string;
  readonly privateKey: string;
}

/**
 * Makes a self-signed certificate, to be pinned by whoever connects. Valid for 20 years.
 * @param hosts the host names it is for, `*.` standing for one label of any
 */
export async function createCertificate(
  name: string,
  hosts: readonly string[] = [],
): Promise<Certificate> {
  const altNames = hosts.map((value) => ({ type: 2 as const, value }));
  const made = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 20 * 365 * 86_400_000),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      ...(altNames.length > 0 ? [{ name: 'subjectAltName' as const, altNames }] : []),
    ],
  });
  return { certificate: made.cert, privateKey: made.private };
}
