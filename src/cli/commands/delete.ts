import { Command } from 'commander';
import { ask } from '../ask.js';
import { action } from '../session.js';

export const deleteApp = new Command('delete')
  .description('remove the application with its databases')
  .option('--yes', 'do not ask')
  .action(
    action(async (session, { yes = false }: { yes?: boolean }) => {
      const { name, region } = await session.client.app(session.app());
      if (!yes && !(await ask(`Remove ${name} on ${region} and all its data?`))) {
        throw new Error('Nothing was removed.');
      }
      await session.client.delete(`/apps/${session.app()}?current_name=${name}`);
      session.print({ name }, `Removed ${name}.`);
    }),
  );
