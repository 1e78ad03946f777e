import { readFile } from 'node:fs/promises';
import { messageOf } from '../shared/errors.js';
import { UsageError } from './session.js';

/** Options that name the files of a certificate. */
export interface CertificateFiles {
  readonly cert?: string;
  readonly key?: string;
}

/**
 * What the API is given of a certificate that is in files; undefined when none is named.
 * @throws UsageError when one of the two is missing, or cannot be read
 */
export async function readCertificateFiles({ cert, key }: CertificateFiles) {
  if (cert === undefined && key === undefined) return undefined;
  if (cert === undefined || key === undefined) {
    throw new UsageError('A certificate and its key go together: --cert FILE --key FILE.');
  }
  const [tlscert, tlskey] = await Promise.all([read(cert), read(key)]);
  return { tlscert, tlskey };
}

async function read(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error) => {
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  });
}
