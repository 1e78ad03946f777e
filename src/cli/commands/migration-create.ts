import { Command } from 'commander';
import type { Upgrade } from '../../migration/migration.js';
import { upgradeOption } from '../read-upgrade.js';
import { action } from '../session.js';
import { summary, watch } from '../watch.js';

interface Options {
  readonly to: string;
  readonly newName?: string;
  readonly upgrade?: Upgrade;
}

export const migrationCreate = new Command('migration-create')
  .description('create a migration; its preflight, which only looks, begins at once')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .option(...upgradeOption)
  .action(
    action(async (session, { to, newName, upgrade }: Options) => {
      const created = await session.client.createMigration(session.app(), to, newName, upgrade);
      const looked = await watch(session, created, 'Preflight: only looks');
      session.print(looked, summary(looked));
    }),
  );
