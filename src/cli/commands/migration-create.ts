import { Command } from 'commander';
import type { VerifyMode } from '../../migration/migration.js';
import { action } from '../session.js';
import { verifyOption } from '../verify-option.js';
import { summary, watch } from '../watch.js';

interface Options {
  readonly to: string;
  readonly newName?: string;
  readonly verify: VerifyMode;
}

export const migrationCreate = new Command('migration-create')
  .description('create a migration; its preflight, which only looks, begins at once')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .addOption(verifyOption())
  .action(
    action(async (session, { to, newName, verify }: Options) => {
      const created = await session.client.createMigration(session.app(), to, newName, verify);
      const looked = await watch(session, created, 'Preflight: only looks');
      session.print(looked, summary(looked));
    }),
  );
