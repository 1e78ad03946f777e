import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

export const stop = new Command('stop').description('end all processes of the application').action(
  action(async (session) => {
    await session.client.post(`/apps/${session.app()}/stop`, {}, z.unknown());
    session.print({ app: session.app() }, `Stopped ${session.app()}.`);
  }),
);
