import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newId } from '../../../src/shared/ids.js';
import { demo, owner, TestRegion } from '../test-region.js';

const times = { createdAt: '2026-01-01T00:00:00.000Z', updatedAt: '2026-01-01T00:00:00.000Z' };
const scmLink = {
  ...{ id: 'link', ...times, integration: null, linker: owner, type: 'github' },
  ...{ url: 'https://github.com', owner: 'birds', repo: 'heron', branch: 'main' },
  ...{ autoDeploy: false, deployReviewApps: false, deleteOnClose: false, deleteStale: false },
  ...{ hoursBeforeDeleteOnClose: 0, hoursBeforeDeleteStale: 0, reviewAppsFromForks: false },
};

/** An app with something of most things. */
async function createApp(region: TestRegion): Promise<string> {
  const { client } = region;
  const app = await region.create();
  await client.addAddon({
    ...{ app, id: newId(), product: 'postgresql', plan: 'postgresql-sandbox' },
    ...{ version: null, role: 'empty' },
  });
  await client.changeVariables({ app, set: { B: '2', A: '1' }, unset: [] });
  await client.attach({ app, attachment: { kind: 'scmLink', item: scmLink } });
  const domain = { tls: null, canonical: true, name: 'www.example.org', id: newId() };
  await client.addDomain({ app, domain });
  await region.deploy(app, demo);
  return app;
}

async function freezeAndThaw({ client }: TestRegion, app: string): Promise<void> {
  const migration = randomUUID();
  await client.freeze({ app, migration });
  await client.onBehalfOf(migration).grantBuild({ app });
  await client.thaw({ app, migration });
}

it('app.json has the same bytes after a restart and a migration that was aborted', async () => {
  const region = await TestRegion.start();
  const app = await createApp(region);
  const file = join(region.dir, 'apps', app, 'app.json');
  const before = await readFile(file, 'utf8');
  await region.restart();
  await freezeAndThaw(region, app);
  expect(await readFile(file, 'utf8')).toBe(before);
});

it('fields that this version does not know stay in app.json', async () => {
  const region = await TestRegion.start();
  const app = await createApp(region);
  const file = join(region.dir, 'apps', app, 'app.json');
  await region.agent?.close({ stop: false });
  const later = (_: string, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value, later: ['kept'] }
      : value;
  const given = JSON.parse(await readFile(file, 'utf8'), (key, value) =>
    ['variables', 'limits', 'flags', 'processTypes'].includes(key) ? value : later(key, value),
  );
  expect(given).toMatchObject({ later: ['kept'], scmLink: { linker: { later: ['kept'] } } });
  await writeFile(file, JSON.stringify(given));
  await region.open();
  await freezeAndThaw(region, app);
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(given);
  // Nor do changes of what is beside them touch them.
  await region.client.setSettings({ app, settings: { forceHttps: true } });
  await region.client.scale({ app, formation: [{ name: 'web', amount: 2 }] });
  const after = JSON.parse(await readFile(file, 'utf8'));
  expect(after.settings).toEqual({ ...given.settings, forceHttps: true });
  expect(after.formation[0]).toEqual({ ...given.formation[0], amount: 2 });
});

it('the formation keeps its order; what is new comes last', async () => {
  const region = await TestRegion.start();
  const { client } = region;
  const app = await region.create();
  const order = async () =>
    (await client.findApp({ ref: app }))?.formation.map(({ name, amount }) => [name, amount]);
  await region.deploy(app, { ...demo, Procfile: 'worker: sleep 600\nweb: node web.mjs\n' });
  await client.scale({ app, formation: [{ name: 'web', amount: 2 }] });
  expect(await order()).toEqual([
    ['worker', 0],
    ['web', 2],
  ]);
  await region.deploy(app, {
    ...demo,
    Procfile: 'clock: sleep 600\nweb: node web.mjs\nworker: sleep 600\n',
  });
  expect(await order()).toEqual([
    ['worker', 0],
    ['web', 2],
    ['clock', 0],
  ]);
});

it('a region keeps nothing of a sample that it was taking when its agent died', async () => {
  const region = await TestRegion.start();
  await writeFile(join(region.dir, `sample-${randomUUID()}`), 'a part of it');
  await region.restart();
  expect((await readdir(region.dir)).filter((name) => name.startsWith('sample'))).toEqual([]);
});
