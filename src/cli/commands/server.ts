import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { countUpTo } from '../read-count.js';
import { readPort } from '../read-port.js';
import { untilToldToEnd } from '../until-told.js';

interface Options {
  readonly host: string;
  readonly port: number;
  readonly dir: string;
  readonly regionsFile: string;
  readonly tokenFile: string;
  readonly publicUrl?: string;
  readonly requestsPerMinute: number;
  readonly windowDays: number;
  readonly holdSeconds: number;
  readonly copySeconds: number;
}

export const server = new Command('server')
  .description(
    'run a control plane; it keeps everything in DATABASE_URL, or in a PostgreSQL of its own',
  )
  .option('--host <address>', 'to listen on', '127.0.0.1')
  .option('--port <port>', 'to listen on', readPort, 4000)
  .option('--dir <folder>', 'for a PostgreSQL of its own', '.godwit/server')
  .requiredOption('--regions-file <file>', 'JSON: [{"name", "displayName"?, "url", "token"}, …]')
  .requiredOption('--token-file <file>', 'holds the API token of the first user')
  .option('--public-url <url>', 'where clients reach it, when not where it listens')
  .option('--requests-per-minute <count>', 'that one token may make', countUpTo(1_000_000), 600)
  .option(
    '--window-days <days>',
    'for how long a migration can be rolled back',
    countUpTo(3650),
    30,
  )
  .option(
    '--hold-seconds <seconds>',
    'for how long a switch may let requests wait; if it takes longer, it is taken back',
    countUpTo(300),
    30,
  )
  .option(
    '--copy-seconds <seconds>',
    'for how much longer, while databases are copied that can only be when the application is stopped',
    countUpTo(86_400),
    600,
  )
  .action(async (options: Options) => {
    const ended = untilToldToEnd();
    const { Registry } = await import('../../region/registry.js');
    const { startServer } = await import('../../server/server.js');
    const { createLogger } = await import('../../shared/logging.js');
    const logger = createLogger('godwit-server');
    const databaseUrl = process.env['DATABASE_URL'];
    const running = await startServer({
      host: options.host,
      port: options.port,
      database: databaseUrl ? { url: databaseUrl } : { dir: options.dir },
      registry: await Registry.read(options.regionsFile),
      token: (await readFile(options.tokenFile, 'utf8')).trim(),
      requestsPerMinute: options.requestsPerMinute,
      window: options.windowDays * 24 * 3_600_000,
      holdBudget: options.holdSeconds * 1_000,
      copyBudget: options.copySeconds * 1_000,
      publicUrl: options.publicUrl ?? null,
      logger,
    });
    logger.info({ address: running.address }, 'the control plane listens');
    const why = await Promise.race([ended, running.lost]);
    if (why) {
      logger.fatal({ err: why }, 'ending at once: another server may run the phases now');
      process.exit(1);
    }
    await running.close();
  });
