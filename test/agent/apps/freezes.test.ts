import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.js';
import { until } from '../../../src/shared/until.js';
import { cleanUp } from '../../clean-up.js';
import { demo, owner, TestRegion } from '../test-region.js';

const postgresql = { product: 'postgresql', plan: 'postgresql-sandbox', version: null };

/** Begins to provision an addon. */
async function beginAddon({ client }: TestRegion, app: string) {
  const id = newId();
  const ended = client.addAddon({ app, id, ...postgresql, role: 'primary' });
  ended.catch(() => undefined); // looked at later
  await until(async () => (await client.findApp({ ref: app }))?.addons.length === 1, {
    ...{ timeout: 10_000, every: 5, what: 'the addon to be listed' },
  });
  return { id, ended };
}

/** Begins a deployment whose build goes on until it is let. */
async function beginDeployment(region: TestRegion, app: string) {
  const folder = await mkdtemp(join(tmpdir(), 'godwit-gate-'));
  cleanUp.push(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o755);
  const gate = join(folder, 'open');
  const build = `until [ -e ${gate} ]; do sleep 0.05; done`;
  const manifest = JSON.stringify({ scripts: { build } });
  const id = await region.beginDeployment(app, { ...demo, 'package.json': manifest });
  await until(
    async () => {
      const [made] = await region.client.listDeployments({ app });
      return made?.output.includes('npm run build');
    },
    { timeout: 20_000, what: 'the build to go on' },
  );
  return { id, letEnd: () => writeFile(gate, '') };
}

it('waits for an addon that is being provisioned', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const migration = randomUUID();
  const { id, ended } = await beginAddon(region, app);
  await region.client.freeze({ app, migration });
  expect(await region.client.findApp({ ref: app })).toMatchObject({
    frozenBy: migration,
    addons: [{ id, status: 'running' }],
  });
  expect(await ended).toMatchObject({ status: 'running' });
});

it('waits for a deployment that is being built', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const migration = randomUUID();
  const { id, letEnd } = await beginDeployment(region, app);
  const frozen = region.client.freeze({ app, migration });
  await letEnd();
  await frozen;
  expect(await region.client.findApp({ ref: app })).toMatchObject({
    frozenBy: migration,
    build: { processTypes: { web: 'node web.mjs' } },
    lastDeployment: { successful: id },
  });
  expect(await region.deployed(app, id)).toMatchObject({ status: 'success' });
});

it('says what is under way when that does not end, and freezes nothing', async () => {
  const region = await TestRegion.start('here', { freezePatience: 0 });
  const app = await region.create();
  const migration = randomUUID();
  const addon = await beginAddon(region, app);
  const busy = (what: RegExp) => ({
    ...{ kind: 'conflict', details: { code: 'busy' }, message: expect.stringMatching(what) },
  });
  await expect(region.client.freeze({ app, migration })).rejects.toMatchObject(
    busy(new RegExp(`demo cannot be frozen yet.*addon ${addon.id}.*try again`)),
  );
  await addon.ended;
  const deployment = await beginDeployment(region, app);
  await expect(region.client.freeze({ app, migration })).rejects.toMatchObject(
    busy(new RegExp(`deployment ${deployment.id}.*try again`)),
  );
  expect(await region.client.findApp({ ref: app })).toMatchObject({ frozenBy: null });
  await deployment.letEnd();
  expect(await region.deployed(app, deployment.id)).toMatchObject({ status: 'success' });
  await region.client.freeze({ app, migration });
  await region.client.freeze({ app, migration });
});

it('goes on waiting with the next agent when this one dies', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const migration = randomUUID();
  const { id } = await beginDeployment(region, app);
  const frozen = region.client.onBehalfOf(migration).freeze({ app, migration });
  await region.restart();
  await frozen;
  expect(await region.deployed(app, id)).toMatchObject({ status: 'error' });
  expect(await region.client.findApp({ ref: app })).toMatchObject({ frozenBy: migration });
});

it('does not freeze later what was thawed while it waited', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const migration = randomUUID();
  const { id, letEnd } = await beginDeployment(region, app);
  let refusal: unknown = null;
  region.client.freeze({ app, migration }).catch((error) => {
    refusal = error;
  });
  // Again and again: nobody knows when the freeze is heard.
  await until(
    async () => {
      await region.client.thaw({ app, migration });
      return refusal !== null;
    },
    { timeout: 10_000, what: 'the freeze to be given up' },
  );
  expect(refusal).toMatchObject({ kind: 'unavailable' });
  await letEnd();
  expect(await region.deployed(app, id)).toMatchObject({ status: 'success' });
  expect(await region.client.findApp({ ref: app })).toMatchObject({ frozenBy: null });
});

it('an addon that is removed while it is being provisioned leaves nothing', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const { id, ended } = await beginAddon(region, app);
  await region.client.removeAddon({ app, addon: id });
  await region.client.freeze({ app, migration: randomUUID() });
  await expect(ended).rejects.toMatchObject({ kind: 'not-found' });
  expect(await region.client.findApp({ ref: app })).toMatchObject({ addons: [] });
  expect(await readdir(join(region.dir, 'databases'))).toEqual([]);
});

it('what a migration was provisioning when the agent died is its own to finish', async () => {
  const region = await TestRegion.start();
  const migration = randomUUID();
  const client = region.client.onBehalfOf(migration);
  const { id: theirs } = await client.createApp({ id: newId(), name: 'theirs', owner });
  const mine = await region.create('mine');
  const addon = { id: newId(), ...postgresql, role: 'empty' } as const;
  await client.addAddon({ app: theirs, ...addon });
  await region.client.addAddon({ app: mine, ...addon, id: newId() });
  await region.agent?.close({ stop: false });
  for (const app of [theirs, mine]) {
    const file = join(region.dir, 'apps', app, 'app.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace('"status": "running"', '"status": "provisioning"'));
  }
  await region.open();
  expect(await region.client.findApp({ ref: mine })).toMatchObject({ addons: [] });
  expect(await region.client.findApp({ ref: theirs })).toMatchObject({
    addons: [{ id: addon.id, status: 'provisioning' }],
  });
  expect(await readdir(join(region.dir, 'databases'))).toEqual([addon.id]);
  await client.addAddon({ app: theirs, ...addon });
  expect(await region.client.findApp({ ref: theirs })).toMatchObject({
    addons: [{ id: addon.id, status: 'running' }],
  });
});

it('a build that does not become the app’s is removed', async () => {
  const region = await TestRegion.start();
  const app = await region.create();
  const folder = join(region.dir, 'apps', app);
  const { id, letEnd } = await beginDeployment(region, app);
  // The app cannot be written down.
  await rename(join(folder, 'app.json'), join(folder, 'kept.json'));
  await mkdir(join(folder, 'app.json'));
  await letEnd();
  expect(await region.deployed(app, id)).toMatchObject({ status: 'error' });
  expect(await readdir(join(folder, 'builds'))).toEqual([]);
  await rm(join(folder, 'app.json'), { recursive: true });
  await rename(join(folder, 'kept.json'), join(folder, 'app.json'));

  // Nor when the agent died before it could become that.
  await region.deploy(app, demo);
  const whole = await readdir(join(folder, 'builds'));
  const made = { ...(await region.client.listDeployments({ app }))[0], id: newId() };
  const interrupted = { ...made, status: 'building', createdAt: new Date().toISOString() };
  await region.agent?.close({ stop: false });
  await writeFile(join(folder, 'deployments', `${made.id}.json`), JSON.stringify(interrupted));
  const lost = newId();
  await mkdir(join(folder, 'builds', lost));
  await writeFile(join(folder, 'builds', `${lost}.tar.gz`), 'as far as it came');
  await region.open();
  expect(await readdir(join(folder, 'builds'))).toEqual(whole);
  await region.healthy(app);
});

it('says how to end what has frozen an app, and where it is when it has moved', async () => {
  const region = await TestRegion.start();
  const { client } = region;
  const app = await region.create();
  const migration = randomUUID();
  await client.freeze({ app, migration });
  await expect(client.stop({ app })).rejects.toThrow(
    `godwit migration-abort ${migration} --app demo`,
  );
  await client.onBehalfOf(migration).forward({ app, address: '127.0.0.1:1', token: 'a token' });
  const run = `"godwit migration-run ${migration} --app demo`;
  await expect(client.stop({ app })).rejects.toThrow(
    new RegExp(`has moved.*${run} --rollback".*${run} --complete"`),
  );
});
