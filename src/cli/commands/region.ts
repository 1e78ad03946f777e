import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { countUpTo } from '../read-count.js';
import { readOrigins } from '../read-origins.js';
import { readPort } from '../read-port.js';
import { untilToldToEnd } from '../until-told.js';

interface Options {
  readonly name: string;
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly edgePort: number;
  readonly edgeHttpsPort: number;
  readonly tokenFile: string;
  readonly postgresql?: string;
  readonly drainSeconds: number;
  readonly holdRequests: number;
  readonly holdBytes: number;
  readonly copyRate?: number;
  readonly origins?: readonly string[];
}

export const region = new Command('region')
  .description('run the agent of a region; told to end, it ends what it hosts')
  .requiredOption('--name <name>', 'of the region')
  .requiredOption('--dir <folder>', 'that holds the region')
  .option(
    '--host <address>',
    'of this host, by which the control plane and other regions reach it',
    '127.0.0.1',
  )
  .option(
    '--origins <addresses>',
    'or networks from which it connects to other regions, with commas between; that of --host by default',
    readOrigins,
  )
  .option('--port <port>', 'for the control plane', readPort, 4100)
  .option('--edge-port <port>', 'for clients of the applications', readPort, 8080)
  .option('--edge-https-port <port>', 'for those that come by TLS', readPort, 8443)
  .requiredOption('--token-file <file>', 'holds the token that the control plane shows')
  .option('--postgresql <majors>', 'to offer, such as 18,15; all that the host has by default')
  .option(
    '--drain-seconds <seconds>',
    'for which a hold waits for what an application is answering',
    countUpTo(3_600),
    10,
  )
  .option(
    '--hold-requests <count>',
    'that may wait for one application',
    countUpTo(1_000_000),
    10_000,
  )
  .option(
    '--hold-bytes <bytes>',
    'that these may take',
    countUpTo(Number.MAX_SAFE_INTEGER),
    64 * 1_024 * 1_024,
  )
  .option(
    '--copy-rate <bytes>',
    'a second at which a database of the region may be copied; any by default',
    countUpTo(Number.MAX_SAFE_INTEGER, 64 * 1_024),
  )
  .action(async (options: Options) => {
    const ended = untilToldToEnd();
    const { startAgent } = await import('../../agent/agent.js');
    const { createLogger } = await import('../../shared/logging.js');
    const logger = createLogger(`godwit-region-${options.name}`);
    const token = (await readFile(options.tokenFile, 'utf8')).trim();
    const agent = await startAgent({
      ...options,
      token,
      postgresql: options.postgresql?.split(',') ?? null,
      copyRate: options.copyRate ?? null,
      hold: {
        requests: options.holdRequests,
        bytes: options.holdBytes,
        drainTime: options.drainSeconds * 1_000,
      },
      logger,
    });
    const { address, edge, edgeHttps } = agent;
    logger.info({ address, edge, edgeHttps }, 'the region is there');
    await ended;
    await agent.close({ stop: true });
  });
