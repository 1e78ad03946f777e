import { readFileSync } from 'node:fs';

/** An account of the system that processes and files can be given to. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** Whether this process may give processes and files to other accounts. */
export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** An account of `/etc/passwd`; null when there is none of that name. */
export function namedAccount(name: string): Account | null {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((entry) => entry.split(':'))
    .find(([found]) => found === name);
  return line ? { uid: Number(line[2]), gid: Number(line[3]) } : null;
}

/**
 * Who runs a server that must not run as root: root lets the named account, or `nobody` where
 * there is none, run it; anybody else runs it as themselves (null).
 * @throws when the host has neither account
 */
export function serviceAccount(name: string): Account | null {
  if (!isRoot()) return null;
  const account = namedAccount(name) ?? namedAccount('nobody');
  if (!account) {
    throw new Error(
      `Databases cannot run as root, and this host has no account "${name}" or "nobody". Create one.`,
    );
  }
  return account;
}
