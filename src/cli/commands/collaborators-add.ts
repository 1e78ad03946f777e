import { Command } from 'commander';
import { z } from 'zod';
import { action } from '../session.js';

export const collaboratorsAdd = new Command('collaborators-add')
  .description('let somebody else see and change the application')
  .argument('<email>')
  .action(
    action(async (session, email: string) => {
      const path = `/apps/${session.app()}/collaborators`;
      const added = await session.client.post(path, { collaborator: { email } }, z.unknown());
      session.print(added, `Invited ${email}.`);
    }),
  );
