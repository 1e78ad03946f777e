import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

const answer = z.object({ domains: z.array(z.object({ id: z.string(), name: z.string() })) });

export const domains = new Command('domains').description('list the domains').action(
  action(async (session) => {
    const found = await session.client.get(`/apps/${session.app()}/domains`, answer);
    session.print(
      found.domains,
      found.domains.map(({ id, name }) => `${id}  ${name}`),
    );
  }),
);
