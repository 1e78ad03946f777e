import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Account, isRoot, namedAccount } from '../../../shared/account.js';

/**
 * The account that runs apps: as root, `www-data` or `nobody`, provided that it can reach the
 * app's folder and Node.js; otherwise (null) whoever runs the agent.
 */
export function appAccount(folder: string): Account | null {
  if (!isRoot() || !isOpenToAll(folder) || !isOpenToAll(dirname(process.execPath))) return null;
  return namedAccount('www-data') ?? namedAccount('nobody');
}

/** Whether any user can pass through the folder and all above it. */
function isOpenToAll(folder: string): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
