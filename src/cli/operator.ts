import type { Command } from 'commander';
import type { Accounts } from '../api/auth/accounts.js';
import { UsageError } from './session.js';

/** Adds the option of the commands for who operates a control plane, on its host. */
export function withDatabaseOption(command: Command): Command {
  return command
    .option(
      '--dir <folder>',
      'of the control plane, when DATABASE_URL is not set',
      '.godwit/server',
    )
    .option('--json', 'print JSON');
}

/** Lends the accounts of the control plane. @throws UsageError when it is not known where they are */
export async function accountsOf<T>(
  dir: string,
  use: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  const { embeddedPostgresqlUrl } = await import('../server/embedded-postgresql.js');
  const { withAccounts } = await import('../server/accounts-of.js');
  const url = process.env['DATABASE_URL'] ?? (await embeddedPostgresqlUrl(dir));
  if (!url) {
    throw new UsageError(
      `There is no control plane in ${dir}. Name its folder with --dir, or set DATABASE_URL.`,
    );
  }
  return withAccounts(url, use);
}

/** Prints the value as JSON when that was asked for, and the lines otherwise. */
export function print(json: boolean, value: unknown, lines: readonly string[]): void {
  const text = json ? JSON.stringify(value, null, 2) : lines.join('\n');
  if (text !== '') process.stdout.write(`${text}\n`);
}
