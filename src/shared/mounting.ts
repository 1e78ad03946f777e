import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Account } from './account.js';

/** A program, and who runs it; null for whoever starts it. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly account: Account | null;
}

/** Where a folder is mounted for a program. Every Linux has it, and nothing of it is looked at there. */
export const mountPoint = '/mnt';

/** Whether any account can walk the path to a folder, whatever it may do there. */
export async function isWalkable(folder: string): Promise<boolean> {
  for (let at = folder; at !== dirname(at); at = dirname(at)) {
    if (((await stat(dirname(at))).mode & 0o001) === 0) return false;
  }
  return true;
}

/**
 * Has an account run a program in a folder that it cannot walk to: root mounts the folder at
 * {@link mountPoint}, for this program and its children alone (mount_namespaces(7)), and is given
 * up then. All of it is one process. Root needs the capability to mount (CAP_SYS_ADMIN).
 */
export function mounting(folder: string, account: Account, { program, args }: Command): Command {
  const { uid, gid } = account;
  const script = `mount --bind "$0" ${mountPoint} && cd ${mountPoint} && exec setpriv --reuid ${uid} --regid ${gid} --clear-groups --inh-caps -all --no-new-privs -- "$@"`;
  return {
    program: 'unshare',
    args: ['--mount', '--', 'sh', '-c', script, folder, program, ...args],
    account: null,
  };
}
