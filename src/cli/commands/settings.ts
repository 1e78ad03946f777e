import { Command } from 'commander';
import { z } from 'zod';
import { action, UsageError } from '../session.js';

/** A command that switches a setting of an application on or off. */
function setting(name: string, attribute: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('-e, --enable', 'from now on')
    .option('-d, --disable', 'not any more')
    .action(
      action(
        async (
          session,
          { enable = false, disable = false }: Record<string, boolean | undefined>,
        ) => {
          if (enable === disable) throw new UsageError('Say --enable or --disable.');
          const app = { [attribute]: enable };
          const path = `/apps/${session.app()}`;
          const changed = await session.client.patch(path, { app }, z.unknown());
          session.print(changed, `${name} is ${enable ? 'on' : 'off'}.`);
        },
      ),
    );
}

export const forceHttps = setting(
  'force-https',
  'force_https',
  'redirect requests in clear text to HTTPS, or not',
);
export const stickySession = setting(
  'sticky-session',
  'sticky_session',
  'send the requests of a client to one process, or not',
);
export const routerLogs = setting('router-logs', 'router_logs', 'log every request, or none');
export const prewarm = setting(
  'prewarm',
  'prewarm',
  'let a switch start the application before its databases take writes, or not',
);
