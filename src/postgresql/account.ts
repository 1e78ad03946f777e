import { readFileSync } from 'node:fs';

/** The system account that runs databases. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process may give processes and files to other accounts. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/**
 * PostgreSQL refuses to run as root. Root lets `postgres` run databases, or `nobody` where there
 * is no such account; anybody else runs them as themselves (null).
 * @throws when the host has neither account
 */
export function databaseAccount(): Account | null {
  if (!isRoot()) return null;
  const accounts = new Map(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name, , uid, gid]) => [name, { uid: Number(uid), gid: Number(gid) }]),
  );
  const account = accounts.get('postgres') ?? accounts.get('nobody');
  if (!account) {
    throw new Error(
      'Databases cannot run as root, and this host has no account "postgres" or "nobody". Create one.',
    );
  }
  return account;
}
