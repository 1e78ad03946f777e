import { type Account, isRoot, namedAccount } from '../shared/account.js';

/**
 * PostgreSQL refuses to run as root. Root lets `postgres` run databases, or `nobody` where there
 * is no such account; anybody else runs them as themselves (null).
 * @throws when the host has neither account
 */
export function databaseAccount(): Account | null {
  if (!isRoot()) return null;
  const account = namedAccount('postgres') ?? namedAccount('nobody');
  if (!account) {
    throw new Error(
      'Databases cannot run as root, and this host has no account "postgres" or "nobody". Create one.',
    );
  }
  return account;
}
