import { Command } from 'commander';
import { domainNamed } from '../domain-named.js';
import { action } from '../session.js';

export const domainsRemove = new Command('domains-remove')
  .description('remove a domain')
  .argument('<name>')
  .action(
    action(async (session, name: string) => {
      await session.client.delete(await domainNamed(session, name));
      session.print(null, `Removed ${name}.`);
    }),
  );
