import { Command } from 'commander';
import { action } from '../session.js';

export const create = new Command('create')
  .description('create an application')
  .argument('<name>')
  .action(
    action(async ({ client, print }, name: string) => {
      const app = await client.createApp(name);
      print(
        app,
        `Created ${app.name} on ${app.region}. Deploy it: godwit deploy . --app ${app.name}`,
      );
    }),
  );
