import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { InfluxdbClient } from '../agent/databases/influxdb-client.js';
import { atRest, createApp } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage({ copyBudget: 1 });
});
afterAll(() => stage?.close());

const step = z.object({ name: z.string(), status: z.string(), logs: z.string().nullable() });

it('is refused before anything is done when requests may not wait for as long as the copy takes', async () => {
  const app = await createApp(stage, 'meter');
  const addon = { addon_provider_id: 'influxdb', plan_id: 'influxdb-sandbox' };
  const added = await stage.ask(`/apps/${app}/addons`, { body: { addon } });
  expect(added.status).toBe(201);
  const { variables } = z
    .object({ variables: z.array(z.object({ name: z.string(), value: z.string() })) })
    .parse((await stage.ask(`/apps/${app}/variables`)).json);
  const url = variables.find(({ name }) => name === 'SCALINGO_INFLUX_URL')?.value ?? '';
  await new InfluxdbClient(url).write(['metered n=1i 1']);
  const body = { migration: { destination: 'there' } };
  const created = await stage.ask(`/apps/${app}/region_migrations`, { body });
  const { id } = z.object({ id: z.string() }).parse(created.json);
  const { status, steps } = z
    .object({ status: z.string(), steps: z.array(step) })
    .parse(await atRest(stage, app, id));
  expect(status).toBe('preflight-error');
  const failed = steps.filter((one) => one.status === 'error');
  expect(failed.map(({ name }) => name)).toEqual([
    'Estimate the copy and the switch',
    'Preflight checks',
  ]);
  expect(failed[0]?.logs).toMatch(
    /^influxdb: .* are copied while the app is stopped, which takes about .*\.\nCopying the .* takes about .*, and requests may wait for a second for that\. .*--copy-seconds/m,
  );
});
