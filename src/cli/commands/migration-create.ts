import { Command } from 'commander';
import { action } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrationCreate = new Command('migration-create')
  .description('create a migration; its preflight, which only looks, begins at once')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .action(
    action(async (session, { to, newName }: { to: string; newName?: string }) => {
      const created = await session.client.createMigration(session.app(), to, newName);
      const looked = await watch(session, created, 'Preflight: only looks');
      session.print(looked, summary(looked));
    }),
  );
