import type { Command } from 'commander';
import { ApiClient } from '../client/api-client.js';

/** The command was used wrongly: exit code 2. */
export class UsageError extends Error {}

interface SessionOptions {
  readonly app?: string;
  readonly region?: string;
  readonly json?: boolean;
}

/** What a command works with. */
export interface Session {
  readonly client: ApiClient;
  /** The app that is meant. @throws UsageError when none was named */
  app(): string;
  readonly json: boolean;
  /** Whether Godwit is on this machine, as far as its address tells. */
  readonly isHere: boolean;
  /** Prints the value as JSON when that was asked for, and the lines otherwise. */
  print(value: unknown, lines: string | readonly string[]): void;
}

/** Adds the options that every command for owners of applications has. */
export function withSessionOptions(command: Command): Command {
  return command
    .option('-a, --app <name>', 'the application (or GODWIT_APP)')
    .option('--region <name>', 'the region; the default one otherwise (or GODWIT_REGION)')
    .option('--json', 'print JSON');
}

/**
 * Makes an action of a command: `act` gets a session, the command's arguments and its options.
 */
export function action<Args extends unknown[]>(
  act: (session: Session, ...args: Args) => Promise<void>,
): (this: Command, ...args: Args) => Promise<void> {
  return async function run(this: Command, ...args: Args) {
    await act(openSession(this.opts<SessionOptions>()), ...args);
  };
}

function openSession({ app, region, json = false }: SessionOptions): Session {
  const url = process.env['GODWIT_URL'];
  const token = process.env['GODWIT_TOKEN'];
  if (!url || !token) {
    throw new UsageError(
      'Set GODWIT_URL and GODWIT_TOKEN to the address of a Godwit and your API token; "godwit dev" prints both.',
    );
  }
  if (!URL.canParse(url)) throw new UsageError(`GODWIT_URL is "${url}", which is no address.`);
  return {
    client: new ApiClient({ url, token, region: region ?? process.env['GODWIT_REGION'] ?? null }),
    app() {
      const named = app ?? process.env['GODWIT_APP'];
      if (!named) throw new UsageError('Say which application: --app NAME.');
      return named;
    },
    json,
    isHere: ['127.0.0.1', '[::1]', 'localhost'].includes(new URL(url).hostname),
    print(value, lines) {
      const text = json ? JSON.stringify(value, null, 2) : [lines].flat().join('\n');
      if (text !== '') process.stdout.write(`${text}\n`);
    },
  };
}
