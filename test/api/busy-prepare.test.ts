import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '../../src/shared/ids.js';
import { atRest, createApp, deploy } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());

const migrationShape = z.looseObject({
  id: z.string(),
  status: z.string(),
  new_app_id: z.string().nullable(),
  steps: z.array(z.object({ name: z.string(), logs: z.string().nullable() })),
});

/** Creates a migration whose preflight succeeds. */
async function migrate(app: string) {
  const path = `/apps/${app}/region_migrations`;
  const body = { migration: { destination: 'there' } };
  const { id } = migrationShape.parse((await stage.ask(path, { body })).json);
  expect((await atRest(stage, app, id)).status).toBe('preflight-success');
  return async (step: string) => {
    expect((await stage.ask(`${path}/${id}/run`, { body: { step } })).status).toBe(204);
    return migrationShape.parse(await atRest(stage, app, id));
  };
}

it('an addon that is being provisioned when prepare comes is migrated whole', async () => {
  const app = await createApp(stage, 'growing');
  const run = await migrate(app);
  const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
  const adding = stage.ask(`/apps/${app}/addons`, { body: { addon } });
  const { status } = await run('prepare');
  expect([(await adding).status, status]).toEqual([201, 'prepared']);
  const found = await stage.registry.get('here')?.findApp({ ref: app });
  expect(found?.addons).toMatchObject([{ status: 'running' }]);
  expect((await run('abort')).status).toBe('aborted');
});

it('a build that was damaged since preflight is said to be deployed again', async () => {
  const app = await createApp(stage, 'broken');
  await deploy(stage, app, { Procfile: 'worker: sleep 600\n' });
  const run = await migrate(app);
  const builds = join(stage.dir, 'here', 'apps', app, 'builds');
  const archive = (await readdir(builds)).find((name) => name.endsWith('.tar.gz')) ?? '';
  const whole = await readFile(join(builds, archive));
  await writeFile(join(builds, archive), Buffer.alloc(whole.length, 'x'));
  const { status, steps } = await run('prepare');
  expect(status).toBe('error');
  expect(steps.at(-1)).toEqual({
    name: 'Import the last successful deployment',
    logs: expect.stringMatching(/is damaged\. Deploy again\. broken is frozen: abort/),
  });
  expect((await run('abort')).status).toBe('aborted');
});

it('fields that this version does not know arrive with what they belong to', async () => {
  const region = stage.registry.get('here');
  if (!region) throw new Error('there is no such region');
  const later = { later: ['kept'] };
  const other = await region.findApp({ ref: await createApp(stage, 'other') });
  if (!other) throw new Error('there is no such app');
  const owner = { ...other.owner, ...later };
  const { id: app } = await region.createApp({ id: newId(), name: 'futuristic', owner });
  await region.setSettings({ app, settings: later });
  await region.scale({
    app,
    formation: [
      { name: 'worker', amount: 1, ...later },
      { name: 'clock', amount: 1 },
    ],
  });
  const run = await migrate(app);
  const { new_app_id } = await run('prepare');
  const arrived = await stage.registry.get('there')?.findApp({ ref: new_app_id ?? '' });
  const { settings, formation } = (await region.findApp({ ref: app })) ?? {};
  expect(arrived).toMatchObject({ owner, settings, formation });
  expect([settings, formation?.[0]]).toMatchObject([later, later]);
  for (const path of [`/apps/${app}`, `/apps/${app}/containers`]) {
    expect((await stage.ask(path)).text).not.toMatch(/later|kept/);
  }
  expect((await run('abort')).status).toBe('aborted');
});
