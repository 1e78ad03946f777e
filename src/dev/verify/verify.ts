import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import type { MigrationJson } from '../../api/region-migrations/presenter.js';
import { type ApiClient, ApiError } from '../../client/api-client.js';
import { deployed } from '../../client/deployed.js';
import { followMigration } from '../../client/follow.js';
import { packFolder } from '../../client/pack-folder.js';
import { afterwards, journey, succeeded } from '../../client/watch-phase.js';
import type { PhaseName } from '../../migration/migration.js';
import { until } from '../../shared/until.js';
import { Clients, type ClientsReport } from './clients.js';
import { type Door, wayTo } from './door.js';
import { isSound, type Judgement, judge } from './judgement.js';
import type { Act } from './plan.js';
import { readEntries } from './read-entries.js';
import { Witness } from './witness.js';

export interface VerifyOptions {
  /** Speaks to the region from which the application is moved. */
  readonly client: ApiClient;
  readonly to: string;
  readonly plan: readonly Act[];
  /** For how many seconds clients only write between one act and the next. */
  readonly pause: number;
  /** How many clients write. */
  readonly clients: number;
  /** Address of the source's edge, where the application's host name does not lead there; or null. */
  readonly edge: string | null;
  /** Whether the worker can reach this machine by its loopback address. */
  readonly isHere: boolean;
  /** Leave the application where it is. */
  readonly keep: boolean;
  /** Told what is done, in lines for people. */
  readonly say: (line: string) => void;
  /** A folder with the application under check; the example otherwise. */
  readonly folder?: string;
}

export interface Verification {
  readonly app: string;
  readonly isSound: boolean;
  readonly clients: ClientsReport;
  /** How many entries the worker said were safe. */
  readonly witnessed: number;
  readonly entries: number;
  readonly judgement: Judgement;
  readonly migrations: readonly MigrationJson[];
}

const ledger = fileURLToPath(new URL('../../../examples/ledger', import.meta.url));

/**
 * Makes a throwaway application, moves it about as planned while clients write numbered entries and
 * read them back, and judges what is there at the end.
 * @throws when a phase does not end as planned
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { say, keep, isHere } = options;
  const app = `verify-${randomBytes(4).toString('hex')}`;
  const witness = isHere ? await Witness.listen() : null;
  try {
    return await check(app, witness, options);
  } finally {
    if (!keep) {
      say(`Removing ${app}`);
      await removeApps(app, options);
    }
    await witness?.close();
  }
}

async function check(
  app: string,
  witness: Witness | null,
  options: VerifyOptions,
): Promise<Verification> {
  const { client, say, plan } = options;
  say(`An application, ${app}, that can be checked`);
  const { url } = await client.createApp(app);
  const door: Door = { url, edge: options.edge };
  await client.addAddon(app, { product: 'postgresql', plan: 'postgresql-sandbox' });
  if (witness) await client.setVariables(app, { LEDGER_WITNESS: witness.url });
  await deployed(client, app, await client.deploy(app, packFolder(options.folder ?? ledger)));
  await client.scale(app, { web: 2, worker: 1 });
  await healthy(door);
  say(`  answers at ${url}`);

  const clients = new Clients(door, { count: options.clients });
  clients.start();
  say(`  ${options.clients} clients write and read, all the time from now on`);
  const migrations: MigrationJson[] = [];
  let report: ClientsReport;
  try {
    for (const [at, act] of plan.entries()) {
      if (at > 0) await sleep(options.pause * 1_000);
      migrations.push(await perform(act, app, migrations.at(-1), options));
    }
  } finally {
    report = await clients.stop();
  }
  const witnessed = witness?.heard ?? [];
  const entries = await readEntries(door);
  const judgement = judge(report.attempted, witnessed, entries);
  return {
    app,
    isSound: isSound(judgement) && report.failures.length === 0,
    clients: report,
    witnessed: witnessed.length,
    entries: entries.length,
    judgement,
    migrations,
  };
}

async function perform(
  act: Act,
  app: string,
  last: MigrationJson | undefined,
  options: VerifyOptions,
): Promise<MigrationJson> {
  const { client, to } = options;
  if (act === 'rollback') return run('rollback', app, last?.id ?? '', options);
  const { id } = await client.createMigration(app, to);
  const before = journey.filter(({ phase }) => act === 'migrate' || phase !== 'finalize');
  for (const { phase } of before) await run(phase, app, id, options);
  if (act === 'abort') return abortInSwitch(app, id, options);
  return client.migration(app, id);
}

/** Runs a phase and shows it. @throws when it does not do what it should */
async function run(
  phase: PhaseName,
  app: string,
  id: string,
  { client, say }: VerifyOptions,
): Promise<MigrationJson> {
  const title = [...journey, ...afterwards].find((one) => one.phase === phase)?.title ?? phase;
  if (phase !== 'preflight') await client.runMigration(app, id, phase);
  say(title);
  return ended(await followMigration(client, app, id, () => undefined));
}

async function abortInSwitch(
  app: string,
  id: string,
  { client, say }: VerifyOptions,
): Promise<MigrationJson> {
  say('Finalize, aborted as soon as requests are held');
  await client.runMigration(app, id, 'finalize');
  await until(
    async () => {
      const { status, steps } = await client.migration(app, id);
      const holds = steps.some(({ phase, name }) => phase === 'finalize' && /^Hold/.test(name));
      return holds || status !== 'running';
    },
    { timeout: 60_000, every: 10, what: 'the switch to begin' },
  );
  await client.runMigration(app, id, 'abort');
  return ended(await followMigration(client, app, id, () => undefined));
}

/** @throws when the phase did not do what it should */
function ended(migration: MigrationJson): MigrationJson {
  if (succeeded(migration)) return migration;
  const { id, status, failed_phase, steps } = migration;
  const failed = steps
    .filter((step) => step.status === 'error')
    .map(({ name, logs }) => `${name}: ${logs}`);
  throw new Error(`Migration ${id} is "${status}": ${failed_phase} failed. ${failed.join('\n')}`);
}

async function healthy(door: Door): Promise<void> {
  const { origin, way } = wayTo(door);
  const answers = async () => {
    const answer = await request(`${origin}/healthz`, { dispatcher: way }).catch(() => null);
    await answer?.body.dump();
    return answer?.statusCode === 200;
  };
  try {
    await until(answers, { timeout: 60_000, every: 100, what: `${origin} to answer` });
  } finally {
    await way.close();
  }
}

/** Whatever came of the plan: what is open is ended first, then the application is removed in both regions. */
async function removeApps(app: string, { client, to }: VerifyOptions): Promise<void> {
  const there = client.inRegion(to);
  const [last] = await client.migrations(app).catch(orNone<MigrationJson[]>([]));
  const stands = last && (await followMigration(client, app, last.id, () => undefined));
  if (stands && !['aborted', 'rolled-back'].includes(stands.status)) {
    const isThere = stands.window_closes_at !== null;
    const how = { removeSource: isThere };
    await client.runMigration(app, stands.id, isThere ? 'complete' : 'abort', how);
    await followMigration(isThere ? there : client, app, stands.id, () => undefined);
  }
  for (const region of [client, there]) {
    await region.delete(`/apps/${app}?current_name=${app}`).catch(orNone(undefined));
  }
}

function orNone<T>(none: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ApiError && error.status === 404) return none;
    throw error;
  };
}
