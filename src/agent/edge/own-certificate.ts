import { readFile } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import { readChain, readKey } from '../../region/certificate.js';
import type { DomainTls } from '../../region/model.js';
import { isMissing } from '../../shared/errors.js';
import { createCertificate } from '../../shared/self-signed.js';

/**
 * What a region shows those who come by TLS for a host name without a certificate: one that it
 * has made for itself, once. The file holds certificate and key.
 */
export async function ownCertificate(file: string, region: string): Promise<DomainTls> {
  const pem = await readFile(file, 'utf8').catch(async (error) => {
    if (!isMissing(error)) throw error;
    const apps = `${region}.localhost`;
    const { certificate, privateKey } = await createCertificate(apps, [`*.${apps}`]);
    const made = `${certificate.trim()}\n${privateKey.trim()}\n`;
    await writeFileAtomic(file, made, { mode: 0o600 });
    return made;
  });
  if (!readChain(pem) || !readKey(pem)) {
    throw new Error(`${file} is damaged. Remove it, and another certificate will be made.`);
  }
  return { certificate: pem, key: pem };
}
