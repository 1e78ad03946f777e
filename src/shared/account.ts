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
