import { Command } from 'commander';
import type { Accounts } from '../../api/auth/accounts.js';
import type { User } from '../../region/model.js';
import { accountsOf, print, withDatabaseOption } from '../operator.js';
import { table } from '../table.js';

interface Options {
  readonly dir: string;
  readonly json?: boolean;
}

const add = withDatabaseOption(new Command('add'))
  .description('make an API token for a user; it is printed this once')
  .argument('<user>')
  .argument('<name>', 'of the token, such as what it is for')
  .action(async (username: string, name: string, { dir, json = false }: Options) => {
    const { token, secret } = await accountsOf(dir, async (accounts) =>
      accounts.addToken((await userNamed(accounts, username)).id, name),
    );
    print(json, { ...token, token: secret }, [secret]);
  });

const list = withDatabaseOption(new Command('list'))
  .description('list the API tokens of a user')
  .argument('<user>')
  .action(async (username: string, { dir, json = false }: Options) => {
    const tokens = await accountsOf(dir, async (accounts) =>
      accounts.tokens((await userNamed(accounts, username)).id),
    );
    const rows = tokens.map(({ id, name, createdAt, lastUsedAt }) => [
      id,
      name,
      createdAt.toISOString(),
      lastUsedAt?.toISOString() ?? 'never',
    ]);
    print(json, tokens, table([['ID', 'NAME', 'CREATED', 'LAST USED'], ...rows]));
  });

const revoke = withDatabaseOption(new Command('revoke'))
  .description('revoke an API token of a user')
  .argument('<user>')
  .argument('<id>')
  .action(async (username: string, id: string, { dir, json = false }: Options) => {
    const revoked = await accountsOf(dir, async (accounts) =>
      accounts.revokeToken((await userNamed(accounts, username)).id, id),
    );
    if (!revoked)
      throw new Error(`${username} has no token ${id}. List them: godwit tokens list ${username}`);
    print(json, { id }, [`Revoked ${id}.`]);
  });

export const tokens = new Command('tokens')
  .description('API tokens of the users of a control plane: list, add, revoke')
  .addCommand(list)
  .addCommand(add)
  .addCommand(revoke);

async function userNamed(accounts: Accounts, username: string): Promise<User> {
  const user = await accounts.named(username);
  if (user) return user;
  throw new Error(`There is no user ${username}. List them: godwit users`);
}
