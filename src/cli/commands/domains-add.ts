import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

export const domainsAdd = new Command('domains-add')
  .description('add a domain')
  .argument('<name>')
  .action(
    action(async (session, name: string) => {
      const path = `/apps/${session.app()}/domains`;
      const added = await session.client.post(path, { domain: { name } }, z.unknown());
      session.print(added, `Added ${name}.`);
    }),
  );
