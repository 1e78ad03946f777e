import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

export const restart = new Command('restart')
  .description('start every process anew, with the variables of now')
  .action(
    action(async (session) => {
      await session.client.post(`/apps/${session.app()}/restart`, {}, z.unknown());
      session.print({ app: session.app() }, `Restarted ${session.app()}.`);
    }),
  );
