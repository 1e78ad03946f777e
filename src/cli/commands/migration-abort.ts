import { Command } from 'commander';
import { action } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrationAbort = new Command('migration-abort')
  .description('abort a migration: everything becomes as it was before')
  .argument('<id>')
  .action(
    action(async (session, id: string) => {
      await session.client.runMigration(session.app(), id, 'abort');
      const ended = await watch(session, { id }, 'Abort: everything becomes as it was');
      session.print(ended, summary(ended));
    }),
  );
