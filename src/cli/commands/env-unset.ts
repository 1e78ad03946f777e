import { Command } from 'commander';
import { action } from '../session.js';

export const envUnset = new Command('env-unset')
  .description('remove variables')
  .argument('<name...>')
  .action(
    action(async (session, names: string[]) => {
      const variables = await session.client.variables(session.app());
      for (const name of names) {
        const found = variables.find((variable) => variable.name === name);
        if (!found) throw new Error(`${session.app()} has no variable ${name}.`);
        await session.client.delete(`/apps/${session.app()}/variables/${found.id}`);
      }
      session.print(names, `Removed ${names.join(', ')}.`);
    }),
  );
