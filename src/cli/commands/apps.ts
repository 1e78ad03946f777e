import { Command } from 'commander';
import { action } from '../session.js';
import { table } from '../table.js';

export const apps = new Command('apps').description('list the applications of the region').action(
  action(async ({ client, print }) => {
    const found = await client.apps();
    const rows = found.map(({ name, region, status, url }) => [name, region, status, url]);
    print(found, table([['NAME', 'REGION', 'STATUS', 'ADDRESS'], ...rows]));
  }),
);
