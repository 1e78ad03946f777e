import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '../../src/shared/ids.js';
import { identify, signalProcess, waitForExit } from '../../src/shared/processes.js';
import { until } from '../../src/shared/until.js';
import { type Authority, createAuthority } from '../certificates.js';
import { everything } from './everything.js';
import { atRest, createApp, deploy } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';
import { Tampering } from './tampering.js';

const tampering = new Tampering();
let stage: Stage;
let authority: Authority;
let app: string;
let domain: string;
let database: string;

const server =
  "require('node:http').createServer((_, answer) => answer.end('up')).listen(process.env.PORT)";
const withId = z.object({ id: z.string() });

beforeAll(async () => {
  authority = await createAuthority();
  stage = await startStage({ via: (entry) => tampering.between(entry) });
  app = await createApp(stage, 'mover');
  const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
  const added = await stage.ask(`/apps/${app}/addons`, { body: { addon } });
  database = z.object({ addon: withId }).parse(added.json).addon.id;
  const made = await stage.ask(`/apps/${app}/domains`, {
    body: { domain: { name: 'mover.test' } },
  });
  domain = z.object({ domain: withId }).parse(made.json).domain.id;
  await deploy(stage, app, { Procfile: 'web: node server.cjs\n', 'server.cjs': server });
  const healthy = async () =>
    (await stage.registry.get('here')?.health({ app }))?.state === 'healthy';
  await until(healthy, { timeout: 20_000, what: 'the app to run' });
}, 60_000);

beforeEach(() => tampering.clear());

afterAll(async () => {
  await stage?.close();
  tampering.close();
});

interface Obstacle {
  readonly check: string;
  readonly message: RegExp;
  /** Puts it in the way. @returns what takes it away again */
  make(): Promise<(() => Promise<unknown>) | undefined>;
}

const told = (verb: string, edit: Record<string, unknown>) => async () => {
  tampering.change('there', verb, edit);
  return undefined;
};

async function certify(wish: { from?: number; to?: number } | null) {
  const { certificate: tlscert, key: tlskey } = await authority.issue(['mover.test'], wish ?? {});
  const body = { domain: wish ? { tlscert, tlskey } : { tlscert: null, tlskey: null } };
  await stage.ask(`/apps/${app}/domains/${domain}`, { method: 'PATCH', body });
}

async function query(sql: string): Promise<void> {
  const { json } = await stage.ask(`/apps/${app}/variables`);
  const { variables } = z
    .object({ variables: z.array(z.object({ name: z.string(), value: z.string() })) })
    .parse(json);
  const client = new pg.Client(variables.find(({ name }) => name === 'DATABASE_URL')?.value);
  await client.connect();
  await client.query(sql);
  await client.end();
}

const folder = (...names: string[]) => join(stage.dir, 'here', ...names);

/** Has the database started anew with other settings. */
async function reconfigure(settings: string): Promise<void> {
  const data = folder('databases', database, 'data');
  await writeFile(join(data, 'postgresql.auto.conf'), settings);
  const pid = await readFile(join(data, 'postmaster.pid'), 'utf8');
  const running = identify(Number.parseInt(pid, 10));
  if (!running) throw new Error('PostgreSQL does not run');
  signalProcess(running, 'SIGQUIT');
  await waitForExit(running, 10_000);
  await until(
    () =>
      query('SELECT 1')
        .then(() => true)
        .catch(() => false),
    {
      timeout: 20_000,
      what: 'the database to come back',
    },
  );
}

const obstacles: readonly Obstacle[] = [
  {
    check: 'Check addon versions',
    message: /^there lacks postgresql \d+ \(it offers 9\)\. Have it installed there/m,
    make: async () => {
      const description = await stage.registry.get('there')?.describe({});
      const offers = description?.offers.map((offer) => ({ ...offer, versions: ['9'] }));
      return told('describe', { offers })();
    },
  },
  {
    check: 'Check certificate validity',
    message: /^The certificate of mover\.test expired on \d{4}-.*Replace it\.$/m,
    make: async () => {
      await certify({ from: -9, to: -1 });
      return () => certify(null);
    },
  },
  {
    check: 'Check addons compatibility',
    message:
      /^postgresql: Unlogged tables \(public\.scratch\) would arrive empty\. Run ALTER TABLE/m,
    make: async () => {
      await query('CREATE UNLOGGED TABLE scratch (id int)');
      return () => query('DROP TABLE scratch');
    },
  },
  {
    check: 'Check if the name mover is available on there',
    message:
      /^there already has an app named mover\. Abort, and create the migration with another/m,
    make: async () => {
      const region = stage.registry.get('there');
      const { owner } = (await stage.registry.get('here')?.findApp({ ref: app })) ?? {};
      const id = newId();
      if (owner) await region?.createApp({ id, name: 'mover', owner });
      return async () => region?.deleteApp({ app: id });
    },
  },
  {
    check: 'Check the application and its build',
    message: /^The archive of build [0-9a-f]{24} is gone\. Deploy again\.$/m,
    make: async () => {
      const builds = folder('apps', app, 'builds');
      const archive = (await readdir(builds)).find((name) => name.endsWith('.tar.gz')) ?? '';
      await rename(join(builds, archive), join(builds, `${archive}.away`));
      return () => rename(join(builds, `${archive}.away`), join(builds, archive));
    },
  },
  {
    check: 'Check that the regions reach each other',
    message: /^here, on its way to there, cannot reach its edge at 127\.0\.0\.1:1, where requests/m,
    make: told('describe', { edge: '127.0.0.1:1' }),
  },
  {
    check: 'Check the room on there',
    message: /^Only 1 B are free on there; \d.* are needed: databases of .*Make room there\.$/m,
    make: told('room', { disk: 1 }),
  },
  {
    check: 'Check that the domains are free on there',
    message: /^mover\.test belongs to squatter on there\. Remove it from there, or from mover\.$/m,
    make: async () => {
      const region = stage.registry.get('there');
      const { owner } = (await stage.registry.get('here')?.findApp({ ref: app })) ?? {};
      const id = newId();
      const taken = { id: newId(), name: 'mover.test', canonical: false, tls: null };
      if (owner) await region?.createApp({ id, name: 'squatter', owner });
      await region?.addDomain({ app: id, domain: taken });
      return async () => region?.deleteApp({ app: id });
    },
  },
  {
    check: 'Check that the formation fits on there',
    message: /^web:1 take \d.* of memory, and only 1 B of memory are free on there\. Scale down/m,
    make: told('room', { memory: 1 }),
  },
  {
    check: 'Check the collaborators',
    message: /^The collaborator gone@example\.org has no account any more\. Remove or replace/m,
    make: async () => {
      const region = stage.registry.get('here');
      const id = `co-${randomUUID()}`;
      const person = { username: 'gone', email: 'gone@example.org', userId: 'us-gone' };
      const item = { ...person, id, status: 'accepted' as const };
      await region?.attach({ app, attachment: { kind: 'collaborator', item } });
      return async () => region?.detach({ app, kind: 'collaborator', id });
    },
  },
  {
    check: 'Check the settings of the databases',
    message: /^postgresql \d+: wal_level is "minimal", so that nothing can follow it/m,
    make: async () => {
      await reconfigure("wal_level = 'minimal'\nmax_wal_senders = 0\n");
      return () => reconfigure('');
    },
  },
];

/** Creates a migration, and aborts it when its preflight is over. @returns the failed checks, with their logs */
async function checked() {
  const body = { migration: { destination: 'there' } };
  const created = await stage.ask(`/apps/${app}/region_migrations`, { body });
  const { id } = withId.parse(created.json);
  const step = z.object({ name: z.string(), status: z.string(), logs: z.string().nullable() });
  const { steps, status } = z
    .object({ status: z.string(), steps: z.array(step) })
    .parse(await atRest(stage, app, id));
  await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } });
  await atRest(stage, app, id);
  return { status, steps, failed: steps.filter(({ status }) => status === 'error') };
}

it('all is well: every check says what it found, and nothing at all is changed', async () => {
  const before = await everything(stage);
  const { status, steps } = await checked();
  expect(status).toBe('preflight-success');
  expect(await everything(stage)).toEqual(before);
  expect(steps.map(({ name }) => name)).toEqual([
    ...obstacles.map(({ check }) => check),
    ...['Estimate the copy and the switch', 'Preflight checks'],
  ]);
  const logs = Object.fromEntries(steps.map(({ name, logs }) => [name, logs]));
  expect(logs['Check that the regions reach each other']).toMatch(
    /there reaches here: its agent, .*\nhere reaches there: its agent/,
  );
  expect(logs['Estimate the copy and the switch']).toMatch(
    /^Copying .* takes about .*were copied to try, at .*\/s.*\nExpected downtime: none\. Requests wait about \d\.\d s/,
  );
});

it.each(obstacles)('$check: fails alone', async ({ check, message, make }) => {
  const clear = await make();
  const { status, failed } = await checked();
  await clear?.();
  expect(failed.map(({ name }) => name)).toEqual([check, 'Preflight checks']);
  expect(failed[0]?.logs).toMatch(message);
  expect(failed[1]?.logs).toContain(check);
  expect(status).toBe('preflight-error');
});

it('all fail together, each with its message, and nothing is changed', async () => {
  const clearings = [];
  for (const { make } of obstacles) clearings.push(await make());
  const before = await everything(stage);
  const { failed } = await checked();
  expect(await everything(stage)).toEqual(before);
  for (const clear of clearings) await clear?.();
  expect(failed.map(({ name }) => name)).toEqual([
    ...obstacles.map(({ check }) => check),
    'Preflight checks',
  ]);
  for (const { check, message } of obstacles) {
    expect(failed.find(({ name }) => name === check)?.logs).toMatch(message);
  }
});

it('a region that is away hides nothing of what is known of the other', async () => {
  const missing = obstacles.find(({ check }) => check.includes('its build'));
  const clear = await missing?.make();
  await stage.closeRegion('there');
  const body = { migration: { destination: 'there' } };
  const { json, status } = await stage.ask(`/apps/${app}/region_migrations/plan`, { body });
  await clear?.();
  expect(status).toBe(200);
  const step = z.object({ name: z.string(), logs: z.string().nullable() });
  const { phases } = z.object({ phases: z.array(z.object({ steps: z.array(step) })) }).parse(json);
  const logs = phases[0]?.steps.find(({ name }) => name === missing?.check)?.logs;
  expect(logs).toMatch(missing?.message ?? /./);
  expect(logs).toMatch(/Region there cannot be reached/);
});
