import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';
import { table } from '../table.js';

const answer = z.object({
  regions: z.array(z.object({ name: z.string(), api: z.string(), default: z.boolean() })),
});

export const regions = new Command('regions').description('list the regions').action(
  action(async ({ client, print }) => {
    const found = (await client.get('/regions', answer)).regions;
    const rows = found.map((region) => [region.name, region.api, region.default ? 'default' : '']);
    print(found, table([['NAME', 'API', ''], ...rows]));
  }),
);
