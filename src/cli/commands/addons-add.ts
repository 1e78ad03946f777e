import { Command } from 'commander';
import { action } from '../session.js';

export const addonsAdd = new Command('addons-add')
  .description('provision an addon, such as postgresql or redis')
  .argument('<product>')
  .argument('[plan]', 'the smallest one by default')
  .option('--major <version>', 'major version; the newest by default')
  .action(
    action(
      async (session, product: string, plan: string | undefined, { major }: { major?: string }) => {
        const chosen = plan ?? `${product}-sandbox`;
        const added = await session.client.addAddon(session.app(), {
          product,
          plan: chosen,
          version: major,
        });
        session.print(added, `Provisioned ${product}. It brings ${added.variables.join(', ')}.`);
      },
    ),
  );
