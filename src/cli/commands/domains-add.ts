import { Command } from 'commander';
import { z } from 'zod';
import { type CertificateFiles, readCertificateFiles } from '../certificate-files.js';
import { action } from '../session.js';

export const domainsAdd = new Command('domains-add')
  .description('add a domain')
  .argument('<name>')
  .option('--cert <file>', 'its certificate in PEM, followed by those of its issuers')
  .option('--key <file>', 'the private key of the certificate, in PEM')
  .option('--canonical', 'redirect all other host names of the application to it')
  .action(
    action(
      async (
        session,
        name: string,
        { canonical = false, ...files }: CertificateFiles & { canonical?: boolean },
      ) => {
        const domain = { name, canonical, ...(await readCertificateFiles(files)) };
        const path = `/apps/${session.app()}/domains`;
        const added = await session.client.post(path, { domain }, z.unknown());
        session.print(added, `Added ${name}.`);
      },
    ),
  );
