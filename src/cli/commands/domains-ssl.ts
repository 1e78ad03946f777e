import { Command } from 'commander';
import { z } from 'zod';
import { type CertificateFiles, readCertificateFiles } from '../certificate-files.js';
import { domainNamed } from '../domain-named.js';
import { action, UsageError } from '../session.js';

export const domainsSsl = new Command('domains-ssl')
  .description('replace the certificate of a domain, also while it is served, or take it away')
  .argument('<name>')
  .option('--cert <file>', 'the certificate in PEM, followed by those of its issuers')
  .option('--key <file>', 'its private key, in PEM')
  .option('--disable', 'show clients the certificate of the region instead')
  .action(
    action(
      async (
        session,
        name: string,
        { disable = false, ...files }: CertificateFiles & { disable?: boolean },
      ) => {
        const given = await readCertificateFiles(files);
        if (disable === (given !== undefined)) {
          throw new UsageError('Name a certificate (--cert FILE --key FILE), or --disable.');
        }
        const domain = given ?? { tlscert: null, tlskey: null };
        const path = await domainNamed(session, name);
        const changed = await session.client.patch(path, { domain }, z.unknown());
        session.print(
          changed,
          given ? `${name} has the certificate.` : `${name} has none any more.`,
        );
      },
    ),
  );
