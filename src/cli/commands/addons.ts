import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';
import { table } from '../table.js';

const answer = z.object({
  addons: z.array(
    z.object({
      id: z.string(),
      status: z.string(),
      version: z.string(),
      addon_provider: z.object({ name: z.string() }),
      plan: z.object({ name: z.string() }),
    }),
  ),
});

export const addons = new Command('addons').description('list the addons').action(
  action(async (session) => {
    const found = await session.client.get(`/apps/${session.app()}/addons`, answer);
    const rows = found.addons.map(({ id, status, version, addon_provider, plan }) => [
      id,
      `${addon_provider.name} ${version}`,
      plan.name,
      status,
    ]);
    session.print(found.addons, table([['ID', 'ADDON', 'PLAN', 'STATUS'], ...rows]));
  }),
);
