import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { request } from 'undici';
import { Accounts } from '../../src/api/auth/accounts.js';
import type { AccountTables } from '../../src/api/auth/schema.js';
import { ApiClient } from '../../src/client/api-client.js';
import { Registry } from '../../src/region/registry.js';
import { freePort } from '../../src/shared/free-port.js';
import { newSecret } from '../../src/shared/ids.js';
import { until } from '../../src/shared/until.js';
import { asking, joining } from '../api/asking.js';
import type { Tampering } from '../api/tampering.js';
import type { Database } from '../database.js';
import { program } from './program.js';

export type Piece = 'server' | 'here' | 'there';

/** Where a region runs. */
export interface Place {
  readonly host: string;
  /** What the command begins with that runs something there. */
  readonly within: readonly string[];
}

const thisHost: Place = { host: '127.0.0.1', within: [] };

/**
 * Runs a server on a database, and two regions, each a process of its own. What they say of what goes wrong is in
 * files named after them, in their folder.
 * @param how.server more options of the server
 */
export async function runPieces(
  tampering: Pick<Tampering, 'between'>,
  database: Database,
  {
    server: more = [],
    places = { here: thisHost, there: thisHost },
  }: { server?: readonly string[]; places?: Record<'here' | 'there', Place> } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-pieces-'));
  await chmod(dir, 0o755);
  const token = newSecret();
  const running = new Map<Piece, ChildProcess>();
  const tokenFile = async (name: string, text: string) => {
    await writeFile(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const plan = async (name: 'here' | 'there') => {
    const [port, edgePort, secret] = [await freePort(), await freePort(), newSecret()];
    const folder = join(dir, 'regions', name);
    const { host, within } = places[name];
    const args = [
      ...['region', '--name', name, '--dir', folder, '--host', host, '--port', `${port}`],
      ...['--edge-port', `${edgePort}`, '--edge-https-port', `${await freePort()}`],
      ...['--token-file', await tokenFile(`${name}.token`, secret)],
    ];
    await mkdir(folder, { recursive: true });
    const entry = { name, url: `http://${host}:${port}`, token: secret };
    return { args, within, edge: `http://${host}:${edgePort}`, entry };
  };
  const [here, there] = [await plan('here'), await plan('there')];
  const port = await freePort();
  const regionsFile = join(dir, 'regions.json');
  const entries = [await tampering.between(here.entry), await tampering.between(there.entry)];
  await writeFile(regionsFile, JSON.stringify(entries), { mode: 0o600 });
  const url = `http://127.0.0.1:${port}`;
  const server = {
    within: [],
    entry: { url },
    args: [
      ...['server', '--port', `${port}`, '--regions-file', regionsFile],
      ...['--token-file', await tokenFile('token', token)],
      ...more,
    ],
  };
  const pieces = { server, here, there };
  const logOf = (name: Piece) => join(dir, `${name}.log`);
  const start = async (name: Piece) => {
    const { args, within, entry } = pieces[name];
    const log = await open(logOf(name), 'a');
    const [command = '', ...words] = [...within, process.execPath, program, ...args];
    const child = spawn(command, words, {
      stdio: ['ignore', 'ignore', log.fd, 'ipc'], // ends when this process does
      env: { ...process.env, GODWIT_LOG_LEVEL: 'warn', DATABASE_URL: database.url },
    });
    await log.close();
    running.set(name, child);
    const answers = async () => {
      const answer = await request(`${entry.url}/healthz`).catch(() => null);
      await answer?.body.dump();
      return answer?.statusCode === 200;
    };
    await until(answers, { timeout: 60_000, every: 20, what: name });
  };
  const end = async (name: Piece, signal: 'SIGKILL' | 'SIGTERM') => {
    const child = running.get(name);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  await Promise.all([start('here'), start('there')]);
  await start('server');
  const pool = new pg.Pool({ connectionString: database.url });
  const db = new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool }) });
  const place = ({ entry, edge }: typeof here) => ({
    ...{ name: entry.name, api: `${url}/regions/${entry.name}`, edge, edge_https: '' },
  });
  return {
    dir,
    url,
    token,
    source: place(here),
    destination: place(there),
    client: (region: string) => new ApiClient({ url, token, region }),
    /** Addresses of the regions' edges. */
    edges: { here: here.edge, there: there.edge },
    logOf,
    /** Its number, if it runs. */
    pidOf: (name: Piece) => running.get(name)?.pid ?? null,
    /** Past the tampering. */
    registry: new Registry([here.entry, there.entry]),
    ask: asking(url, token),
    join: joining(new Accounts(db)),
    kill: (name: Piece) => end(name, 'SIGKILL'),
    /** Returns when it answers. */
    start,
    /** Kills a process and starts it again; returns when it answers. */
    async crash(name: Piece): Promise<void> {
      await end(name, 'SIGKILL');
      await start(name);
    },
    async close(): Promise<void> {
      await pool.end();
      for (const name of ['server', 'here', 'there'] as const) await end(name, 'SIGTERM');
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
