import { Command } from 'commander';
import { action } from '../session.js';

export const env = new Command('env').description('list the variables').action(
  action(async (session) => {
    const variables = await session.client.variables(session.app());
    session.print(
      variables,
      variables.map(({ name, value }) => `${name}=${value}`),
    );
  }),
);
