import { Command } from 'commander';
import { action } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrationFollow = new Command('migration-follow')
  .description('show what runs of a migration until nothing does')
  .argument('<id>')
  .action(
    action(async (session, id: string) => {
      const ended = await watch(session, { id }, `Migration ${id}`);
      session.print(ended, summary(ended));
    }),
  );
