import { Command } from 'commander';
import { action } from '../session.js';
import { summary } from '../watch.js';

export const migrations = new Command('migrations')
  .description('list the migrations of the application')
  .action(
    action(async (session) => {
      const found = await session.client.migrations(session.app());
      session.print(found, found.flatMap(summary));
    }),
  );
