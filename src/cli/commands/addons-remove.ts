import { Command } from 'commander';
import { action } from '../session.js';

export const addonsRemove = new Command('addons-remove')
  .description('remove an addon with its data')
  .argument('<id>')
  .action(
    action(async (session, id: string) => {
      await session.client.delete(`/apps/${session.app()}/addons/${id}`);
      session.print({ id }, `Removed ${id}.`);
    }),
  );
