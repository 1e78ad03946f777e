import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { z } from 'zod';
import { messageOf } from '../shared/errors.js';
import { addons } from './commands/addons.js';
import { addonsAdd } from './commands/addons-add.js';
import { addonsRemove } from './commands/addons-remove.js';
import { apps } from './commands/apps.js';
import { collaboratorsAdd } from './commands/collaborators-add.js';
import { compare } from './commands/compare.js';
import { create } from './commands/create.js';
import { deleteApp } from './commands/delete.js';
import { demo } from './commands/demo.js';
import { deploy } from './commands/deploy.js';
import { dev } from './commands/dev.js';
import { domains } from './commands/domains.js';
import { domainsAdd } from './commands/domains-add.js';
import { domainsRemove } from './commands/domains-remove.js';
import { domainsSsl } from './commands/domains-ssl.js';
import { env } from './commands/env.js';
import { envSet } from './commands/env-set.js';
import { envUnset } from './commands/env-unset.js';
import { logs } from './commands/logs.js';
import { migrate } from './commands/migrate.js';
import { migrationAbort } from './commands/migration-abort.js';
import { migrationCreate } from './commands/migration-create.js';
import { migrationFollow } from './commands/migration-follow.js';
import { migrationReport } from './commands/migration-report.js';
import { migrationRun } from './commands/migration-run.js';
import { migrationShow } from './commands/migration-show.js';
import { migrations } from './commands/migrations.js';
import { ps } from './commands/ps.js';
import { region } from './commands/region.js';
import { regions } from './commands/regions.js';
import { restart } from './commands/restart.js';
import { scale } from './commands/scale.js';
import { server } from './commands/server.js';
import { forceHttps, prewarm, routerLogs, stickySession } from './commands/settings.js';
import { start } from './commands/start.js';
import { stop } from './commands/stop.js';
import { tokens } from './commands/tokens.js';
import { users } from './commands/users.js';
import { verify } from './commands/verify.js';
import { verifyData } from './commands/verify-data.js';
import { UsageError, withSessionOptions } from './session.js';

const exitCodes = { done: 0, failed: 1, wrongUse: 2 };

const owners = [
  ...[apps, create, deploy, scale, ps, logs, restart, start, stop, deleteApp],
  ...[env, envSet, envUnset, addons, addonsAdd, addonsRemove, domains, domainsAdd],
  ...[domainsRemove, domainsSsl],
  ...[forceHttps, stickySession, routerLogs, prewarm],
  ...[collaboratorsAdd, regions],
  ...[migrate, migrations, migrationCreate, migrationRun, migrationShow, migrationFollow],
  ...[migrationAbort, migrationReport, compare, verifyData, verify],
].map((command) => withSessionOptions(command).exitOverride());
/** Their code is loaded when they are run: the commands of owners start faster without. */
const operators = [dev, demo, server, region, users, tokens].map((command) =>
  command.exitOverride(),
);

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function program(): Command {
  const godwit = new Command('godwit')
    .description('Moves running applications with their databases from one region to another.')
    .version(version())
    .showHelpAfterError('See godwit --help.')
    .addHelpText('after', '\nGODWIT_URL and GODWIT_TOKEN say where Godwit is and who you are.')
    .exitOverride();
  godwit.commandsGroup('Applications:');
  for (const command of owners) godwit.addCommand(command);
  godwit.commandsGroup('Running Godwit:');
  for (const command of operators) godwit.addCommand(command);
  return godwit;
}

/** Runs a command line. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.done : exitCodes.wrongUse;
    }
    process.stderr.write(`godwit: ${messageOf(error)}\n`);
    return error instanceof UsageError ? exitCodes.wrongUse : exitCodes.failed;
  }
}
