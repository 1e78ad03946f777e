import { Command } from 'commander';
import type { Upgrade, VerifyMode } from '../../migration/migration.js';
import { upgradeOption } from '../read-upgrade.js';
import { action } from '../session.js';
import { verifyOption } from '../verify-option.js';
import { summary, watch } from '../watch.js';

interface Options {
  readonly to: string;
  readonly newName?: string;
  readonly verify: VerifyMode;
  readonly upgrade?: Upgrade;
}

export const migrationCreate = new Command('migration-create')
  .description('create a migration; its preflight, which only looks, begins at once')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .option(...upgradeOption)
  .addOption(verifyOption())
  .action(
    action(async (session, { to, newName, verify, upgrade }: Options) => {
      const created = await session.client.createMigration(session.app(), to, newName, {
        ...{ verify, upgrade },
      });
      const looked = await watch(session, created, 'Preflight: only looks');
      session.print(looked, summary(looked));
    }),
  );
