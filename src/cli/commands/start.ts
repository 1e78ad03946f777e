import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

export const start = new Command('start').description('start the application').action(
  action(async (session) => {
    await session.client.post(`/apps/${session.app()}/start`, {}, z.unknown());
    session.print({ app: session.app() }, `Started ${session.app()}.`);
  }),
);
