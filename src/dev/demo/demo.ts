import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MigrationJson } from '../../api/region-migrations/presenter.js';
import { ApiClient } from '../../client/api-client.js';
import type { Readiness } from '../dev.js';
import { startDevProcess } from '../dev-process.js';
import { databaseUrl, deployBirdLog } from './bird-log.js';
import { type Comparison, compareDatabases } from './check.js';
import { migrate } from './journey.js';
import { Traffic, type TrafficReport } from './traffic.js';

export interface DemoOptions {
  readonly rows: number;
  readonly jsonFile: string | null;
}

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
  say('Starting a control plane and two regions');
  const here = await startDevProcess(dir);
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
  const before = await deployBirdLog(client, app, { edge: from.edge, rows });
  say(`  deployed, and answering at ${before}`);

  const traffic = new Traffic(from.edge, new URL(before).hostname);
  traffic.start();
  say('  4 clients write and 4 read, all the time from now on');
  let migration: MigrationJson;
  try {
    migration = await migrate(client, app, to.name);
    await new Promise((resolve) => setTimeout(resolve, afterwards));
  } catch (error) {
    await traffic.stop();
    throw error;
  }
  const trafficReport = await traffic.stop();
  const urls = {
    source: await databaseUrl(client, app),
    destination: await databaseUrl(there, app),
  };
  return {
    migration,
    traffic: trafficReport,
    comparison: await compareDatabases(urls, trafficReport),
    addresses: { before, now: (await there.app(app)).url },
  };
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
