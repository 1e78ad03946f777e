import { Command } from 'commander';
import { action, UsageError } from '../session.js';

export const envSet = new Command('env-set')
  .description('set variables; processes see them after a restart')
  .argument('<name=value...>')
  .action(
    action(async (session, wanted: string[]) => {
      const variables = Object.fromEntries(wanted.map(readVariable));
      await session.client.setVariables(session.app(), variables);
      const names = Object.keys(variables);
      session.print(
        names,
        `Set ${names.join(', ')}. See it: godwit restart --app ${session.app()}`,
      );
    }),
  );

function readVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`"${text}" is not NAME=VALUE.`);
  return [text.slice(0, at), text.slice(at + 1)];
}
