import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { z } from 'zod';
import type { MigrationJson } from '../../api/region-migrations/presenter.js';
import { ApiClient } from '../../client/api-client.js';
import { packFolder } from '../../client/pack-folder.js';
import { journey, succeeded, terminal, watchPhase } from '../../client/watch-phase.js';
import { freePort } from '../../shared/free-port.js';
import { readJsonFile } from '../../shared/json-file.js';
import { until } from '../../shared/until.js';
import { type Readiness, readiness } from '../dev.js';
import { type Comparison, compareDatabases } from './check.js';
import { Traffic, type TrafficReport } from './traffic.js';

export interface DemoOptions {
  readonly rows: number;
  readonly jsonFile: string | null;
}

const root = fileURLToPath(new URL('../../../', import.meta.url));
const app = 'bird-log';
/** How long the clients go on after the migration, in milliseconds. */
const afterwards = 3_000;

/**
 * Moves the example application with its database while clients read and write, and compares
 * both sides row by row.
 * @returns whether no request failed, no write was lost, and both sides are equal
 */
export async function runDemo({ rows, jsonFile }: DemoOptions): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-demo-'));
  await chmod(dir, 0o755);
  const here = await startDev(dir);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort(new Error('The demo was interrupted.'));
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  try {
    const result = await Promise.race([moveApp(here.ready, rows), rejected(interrupted.signal)]);
    for (const line of report(result)) say(line);
    if (jsonFile) await writeFile(jsonFile, `${JSON.stringify(figures(result), null, 2)}\n`);
    return isGood(result);
  } finally {
    await here.stop();
    await rm(dir, { recursive: true, force: true });
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}

interface Result {
  readonly migration: MigrationJson;
  readonly traffic: TrafficReport;
  readonly comparison: Comparison;
  readonly addresses: { readonly before: string; readonly now: string };
}

async function moveApp({ api, token, regions }: Readiness, rows: number): Promise<Result> {
  const [from, to] = regions;
  if (!from || !to) throw new Error('The demo needs two regions.');
  const client = new ApiClient({ url: api, token, region: from.name });
  const there = client.inRegion(to.name);

  say(`An application with ${rows.toLocaleString('en')} rows, on ${from.name}`);
  const { url: before } = await client.createApp(app);
  await client.addAddon(app, { product: 'postgresql', plan: 'postgresql-sandbox' });
  await client.setVariables(app, { SEED_ROWS: String(rows) });
  await deployed(client, await client.deploy(app, packFolder(join(root, 'examples', app))));
  await client.scale(app, { web: 2, worker: 1 });
  await seeded(from.edge, new URL(before).hostname, rows);
  say(`  deployed, and answering at ${before}`);

  const traffic = new Traffic(from.edge, new URL(before).hostname);
  traffic.start();
  say('  4 clients write and 4 read, all the time from now on');
  let migration: MigrationJson;
  try {
    migration = await migrate(client, to.name);
    await new Promise((resolve) => setTimeout(resolve, afterwards));
  } catch (error) {
    await traffic.stop();
    throw error;
  }
  const trafficReport = await traffic.stop();
  const urls = { source: await databaseUrl(client), destination: await databaseUrl(there) };
  return {
    migration,
    traffic: trafficReport,
    comparison: await compareDatabases(urls, trafficReport),
    addresses: { before, now: (await there.app(app)).url },
  };
}

async function migrate(client: ApiClient, destination: string): Promise<MigrationJson> {
  let migration = await client.createMigration(app, destination);
  for (const { phase, title } of journey) {
    if (phase !== 'preflight') await client.runMigration(app, migration.id, phase);
    migration = await watchPhase(client, app, migration, title, terminal);
    if (!succeeded(migration)) throw new Error(`The migration ended as "${migration.status}".`);
  }
  return migration;
}

async function deployed(client: ApiClient, id: string): Promise<void> {
  const { status, output } = await until(
    async () => {
      const deployment = await client.deployment(app, id);
      return deployment.status !== 'building' && deployment;
    },
    { timeout: 300_000, every: 200, what: 'the deployment' },
  );
  if (status !== 'success') throw new Error(`The deployment failed:\n${output}`);
}

async function seeded(edge: string, host: string, rows: number): Promise<void> {
  const stats = z.object({ rows: z.number() });
  await until(
    async () => {
      const answer = await request(`${edge}/api/stats`, { headers: { host } });
      const text = await answer.body.text();
      return answer.statusCode === 200 && stats.parse(JSON.parse(text)).rows >= rows;
    },
    { timeout: 600_000, every: 250, what: 'the rows to be written' },
  );
}

async function databaseUrl(client: ApiClient): Promise<string> {
  const variables = await client.variables(app);
  const found = variables.find(({ name }) => name === 'DATABASE_URL');
  if (!found) throw new Error('The application has no DATABASE_URL.');
  return found.value;
}

/** Runs `godwit dev` in a process of its own. */
async function startDev(dir: string): Promise<{ ready: Readiness; stop(): Promise<void> }> {
  say('Starting a control plane and two regions');
  const readyFile = join(dir, 'ready.json');
  const program = join(root, 'bin', 'godwit.js');
  const args = ['dev', '--dir', dir, '--port', String(await freePort()), '--ready-file', readyFile];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true, // Ctrl-C is for this process; that one is told to end
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    const ready = await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`godwit dev ended: ${said}`);
        return readJsonFile(readyFile, readiness);
      },
      { timeout: 150_000, what: 'godwit dev' },
    );
    return { ready, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function figures({ migration, traffic, comparison, addresses }: Result): object {
  return {
    status: migration.status,
    migration_id: migration.id,
    downtime_ms: traffic.longestWait,
    requests: { sent: traffic.sent, failed: traffic.failed, held: migration.switch?.held ?? 0 },
    rows: { source: comparison.source.rows, destination: comparison.destination.rows },
    checksums: {
      source: comparison.source.checksum,
      destination: comparison.destination.checksum,
    },
    lost_writes: comparison.lostWrites,
    acknowledged_writes: traffic.acknowledged.length,
    hold_ms: migration.switch?.longest_wait ?? 0,
    address: addresses.now,
  };
}

function isGood({ migration, traffic, comparison }: Result): boolean {
  const { source, destination, lostWrites } = comparison;
  const equal = source.rows === destination.rows && source.checksum === destination.checksum;
  return migration.status === 'done' && traffic.failed === 0 && lostWrites === 0 && equal;
}

function report(result: Result): string[] {
  const { migration, traffic, comparison, addresses } = result;
  const { source, destination, lostWrites } = comparison;
  const rows: [string, string][] = [
    [`rows on ${migration.source}`, `${source.rows}  (checksum ${source.checksum})`],
    [`rows on ${migration.destination}`, `${destination.rows}  (checksum ${destination.checksum})`],
    ['requests sent', `${traffic.sent}`],
    ['requests failed', `${traffic.failed}`],
    ['requests held', `${migration.switch?.held ?? 0}`],
    ['longest wait of a client', `${traffic.longestWait} ms`],
    ['writes acknowledged', `${traffic.acknowledged.length}`],
    ['writes lost', `${lostWrites}`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    '',
    ...rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`),
    '',
    ...traffic.failures.map((failure) => `  failed: ${failure}`),
    isGood(result)
      ? 'Every write is there, and no request failed.'
      : 'That is not as it should be.',
    `${app} answers at ${addresses.now} now; ${addresses.before} forwards there.`,
  ];
}

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
