import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ApiClient } from '../../src/client/api-client.js';
import { differences, takePicture } from '../../src/client/compare.js';
import { atRest } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';
import { createWholeApp } from './whole-app.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterAll(() => stage?.close());

const client = (region: string) => new ApiClient({ url: stage.url, token: stage.token, region });
const migrationShape = z.looseObject({
  id: z.string(),
  status: z.string(),
  new_app_id: z.string().nullable(),
  steps: z.array(z.object({ name: z.string(), status: z.string(), logs: z.string().nullable() })),
});

it('the whole app arrives: what the API shows of it is the same', async () => {
  const app = await createWholeApp(stage, 'whole');
  const before = await takePicture(client('here'), app);
  expect(
    Object.fromEntries(Object.entries(before).map(([part, all]) => [part, all.length])),
  ).toEqual({
    ...{ app: 1, variables: 45, containers: 2, addons: 1, domains: 3, collaborators: 2 },
    ...{ notifiers: 2, alerts: 3, log_drains: 2, autoscalers: 1 },
    ...{ 'log drains of addons': 1, 'SCM link': 1, deployment: 1 },
  });
  const path = `/apps/${app}/region_migrations`;
  const body = { migration: { destination: 'there' } };
  const { id } = migrationShape.parse((await stage.ask(path, { body })).json);
  const plan = await stage.ask(`${path}/plan`, { body });
  expect(plan.json).toMatchObject({ possible: true });
  let now = migrationShape.parse(await atRest(stage, app, id));
  for (const step of ['prepare', 'data', 'finalize']) {
    expect((await stage.ask(`${path}/${id}/run`, { body: { step } })).status).toBe(204);
    now = migrationShape.parse(await atRest(stage, app, id));
  }
  expect(now.status, JSON.stringify(now.steps, null, 2)).toBe('done');

  const [source, destination] = [
    await takePicture(client('here'), app),
    await takePicture(client('there'), 'whole'),
  ];
  expect(differences(before, source)).toEqual([]);
  expect(differences(source, destination)).toEqual([]);
  const logs = Object.fromEntries(now.steps.map(({ name, logs }) => [name, logs]));
  expect(logs).toMatchObject({
    'Import environment variables':
      'Copied 43.\nLeft out 2, which addons provide: the new addons bring theirs.',
    'Import domains and their certificates':
      'Copied 3, 2 of them with a certificate.\nwww.whole.test is the canonical one.',
    'Import collaborators': expect.stringMatching(
      /^Copied 2\.\nLeft out 1 .*bob-whole@example\.org/,
    ),
    'Import notifiers': 'Copied 2.',
    'Import alerts': 'Copied 3.',
    'Import log drains': 'Copied 3.',
    'Import autoscalers': 'Copied 1.',
    'Import the SCM link': 'Copied 1.',
    'Point variables at the new databases': 'Changed REPORTS_URL.\nRight as they are: ALIAS_URL.',
  });
  expect(JSON.stringify(now)).not.toMatch(/PRIVATE KEY|secret=1|postgres:\/\//);

  // Not only what the API shows: certificates and keys, and fields that no version knows yet.
  const [old, moved] = await Promise.all([
    stage.registry.get('here')?.findApp({ ref: app }),
    stage.registry.get('there')?.findApp({ ref: now.new_app_id ?? '' }),
  ]);
  expect(moved?.domains.map(({ name, tls }) => [name, tls])).toEqual(
    old?.domains.map(({ name, tls }) => [name, tls]),
  );
  expect(moved?.notifiers).toEqual(old?.notifiers);

  const variable = { name: 'GREETING', value: 'another' };
  await stage.ask(`/apps/${now.new_app_id}/variables`, { body: { variable } });
  expect(differences(source, await takePicture(client('there'), 'whole'))).toContain(
    'variables: GREETING has another value',
  );
}, 90_000);
