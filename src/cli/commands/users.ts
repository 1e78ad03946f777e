import { Command } from 'commander';
import { newUser } from '../../api/auth/new-user.js';
import { accountsOf, print, withDatabaseOption } from '../operator.js';
import { UsageError } from '../session.js';
import { table } from '../table.js';

interface Options {
  readonly dir: string;
  readonly json?: boolean;
}

const add = withDatabaseOption(new Command('add'))
  .description('add a user, who can log in once a token is made: godwit tokens add')
  .argument('<name>')
  .argument('<email>')
  .action(async (username: string, email: string, { dir, json = false }: Options) => {
    const given = newUser.safeParse({ username, email });
    const [problem] = given.error?.issues ?? [];
    if (problem) {
      const what = problem.path[0] === 'email' ? email : username;
      throw new UsageError(`"${what}" ${problem.message}.`);
    }
    const user = await accountsOf(dir, (accounts) => accounts.addUser({ username, email }));
    print(json, user, [`Added ${username}. Let them in: godwit tokens add ${username} NAME`]);
  });

const list = withDatabaseOption(new Command('list'))
  .description('list the users')
  .action(async ({ dir, json = false }: Options) => {
    const users = await accountsOf(dir, (accounts) => accounts.users());
    const rows = users.map(({ username, email, id }) => [username, email, id]);
    print(json, users, table([['NAME', 'EMAIL', 'ID'], ...rows]));
  });

export const users = new Command('users')
  .description('users of a control plane: list, add')
  .addCommand(list, { isDefault: true })
  .addCommand(add);
