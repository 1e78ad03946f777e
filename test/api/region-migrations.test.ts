import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '../../src/shared/ids.js';
import { atRest, createApp } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
/** A migration to a region that is down: given up only after a while, so it begins first of all. */
let toNowhere: Promise<{ app: string; migration: z.infer<typeof migrationShape> }>;

beforeAll(async () => {
  stage = await startStage({ regions: ['here', 'there', 'bare', 'gone'], bare: ['bare'] });
  await stage.closeRegion('gone');
  toNowhere = (async () => {
    const app = await createApp(stage, 'to-nowhere');
    return { app, migration: await migrate(app, 'gone') };
  })();
});
afterAll(() => stage?.close());

const migrationShape = z.looseObject({
  id: z.string(),
  status: z.string(),
  steps: z.array(z.object({ name: z.string(), status: z.string(), logs: z.string().nullable() })),
});

const migrationAtRest = async (app: string, id: string) =>
  migrationShape.parse(await atRest(stage, app, id));

async function migrate(app: string, destination: string, dst_app_name = '') {
  const body = { migration: { destination, dst_app_name } };
  const { status, json } = await stage.ask(`/apps/${app}/region_migrations`, { body });
  expect(status).toBe(201);
  return migrationAtRest(app, migrationShape.parse(json).id);
}

describe('region migrations', () => {
  it('are created once, and phases run once, however often a client repeats itself', async () => {
    const keyed = (key: string) => ({ headers: { 'idempotency-key': key } });
    const app = await createApp(stage, 'repeater');
    const path = `/apps/${app}/region_migrations`;
    const create = (destination: string, key: string) =>
      stage.ask(path, { body: { migration: { destination } }, ...keyed(key) });
    const answers = await Promise.all(Array.from({ length: 8 }, () => create('there', 'one')));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 201));
    const ids = new Set(answers.map(({ json }) => migrationShape.parse(json).id));
    expect(ids.size).toBe(1);
    const [id = ''] = ids;
    expect((await create('bare', 'one')).json).toEqual({
      errors: { idempotency_key: [expect.stringContaining('another request')] },
    });
    // More of them than there are connections to the database.
    const others = Array.from({ length: 40 }, (_, at) => create('there', `other ${at}`));
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(
      Array.from({ length: 40 }, () => 409),
    );
    await migrationAtRest(app, id);
    const run = (step: string, key: string) =>
      stage.ask(`${path}/${id}/run`, { body: { step }, ...keyed(key) });
    expect((await run('preflight', 'zero')).status).toBe(204); // there is nothing to do
    const runs = await Promise.all(Array.from({ length: 4 }, () => run('prepare', 'three')));
    expect(runs.map(({ status }) => status)).toEqual([204, 204, 204, 204]);
    await migrationAtRest(app, id);
    expect((await run('data', 'zero')).status).toBe(422);
    expect((await run('preflight', 'zero')).status).toBe(204);
    expect(migrationShape.parse((await create('there', 'one')).json).id).toBe(id);
    expect((await run('prepare', 'three')).status).toBe(204);
    expect((await run('prepare', 'four')).status).toBe(409);
    expect((await run('data', 'three')).status).toBe(422);
    expect((await run('abort', 'five')).status).toBe(204);
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'aborted' });
    expect(migrationShape.parse((await create('there', 'one')).json).id).toBe(id);
  });

  it('are open one at a time, however many are asked for together', async () => {
    const app = await createApp(stage, 'racer');
    const path = `/apps/${app}/region_migrations`;
    for (let round = 0; round < 4; round += 1) {
      const body = { migration: { destination: 'there' } };
      const answers = await Promise.all([stage.ask(path, { body }), stage.ask(path, { body })]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const created = answers.find(({ status }) => status === 201);
      const { id } = migrationShape.parse(created?.json);
      await stage.ask(`${path}/${id}/run`, { body: { step: 'abort' } });
      expect(await migrationAtRest(app, id)).toMatchObject({ status: 'aborted' });
    }
  });

  it('keep what they make to themselves until they hand it over', async () => {
    const app = await createApp(stage, 'kept');
    const path = `/apps/${app}/region_migrations`;
    const created = await stage.ask(path, { body: { migration: { destination: 'there' } } });
    const { id } = migrationShape.parse(created.json);
    await migrationAtRest(app, id);
    await stage.ask(`${path}/${id}/run`, { body: { step: 'prepare' } });
    const { new_app_id } = await migrationAtRest(app, id);
    const attempts = [
      stage.ask(`/apps/${new_app_id}?current_name=kept`, { method: 'DELETE' }),
      stage.ask(`/apps/${new_app_id}/restart`, { method: 'POST' }),
      stage.ask(`/apps/${new_app_id}/start`, { method: 'POST' }),
      stage.ask(`/apps/${new_app_id}/variables`, { body: { variable: { name: 'A', value: 'b' } } }),
      stage.ask(`/apps/${new_app_id}/region_migrations`, {
        body: { migration: { destination: 'here', dst_app_name: 'other' } },
      }),
    ];
    for (const { status, json } of await Promise.all(attempts)) {
      expect([status, json]).toEqual([409, { error: expect.stringContaining(id), code: 'frozen' }]);
    }
    await stage.ask(`${path}/${id}/run`, { body: { step: 'finalize' } });
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'done' });
    const variable = { name: 'A', value: 'b' };
    const changed = await stage.ask(`/apps/${new_app_id}/variables`, { body: { variable } });
    expect(changed.status).toBe(201);
    const again = await stage.ask(path, { body: { migration: { destination: 'bare' } } });
    expect(again.json).toMatchObject({
      error: expect.stringMatching(/has moved: it is kept on there/),
    });
  });

  it('are created in either dialect, and found by name and id', async () => {
    const app = await createApp(stage, 'two-dialects');
    const documented = await stage.ask(`/apps/${app}/region_migrations`, {
      body: '{"migration": {"there"}}',
    });
    expect(documented.status).toBe(201);
    const [first] = z.array(migrationShape).length(1).parse(documented.json);
    const again = await stage.ask('/apps/two-dialects/region_migrations', {
      body: { migration: { destination: 'there' } },
    });
    const id = first?.id ?? '';
    expect([again.status, again.json]).toEqual([
      409,
      { code: 'migration_open', error: expect.stringContaining(id) },
    ]);
    await migrationAtRest(app, id);
    const third = await stage.ask(`/apps/${app}/region_migrations`, {
      body: { migration: { destination: 'bare' } },
    });
    expect(JSON.stringify(third.json)).toContain(
      `${id}, which is preflight-success. It can be asked to prepare or abort now.`,
    );
    expect(
      (await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'preflight' } }))
        .status,
    ).toBe(204);
    for (const step of ['data', 'finalize']) {
      const early = await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step } });
      expect([early.status, early.json]).toEqual([
        409,
        { code: 'wrong_status', error: expect.stringContaining('prepare or abort') },
      ]);
    }
    expect(
      (await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } }))
        .status,
    ).toBe(204);
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'aborted' });
    const json = await stage.ask('/apps/two-dialects/region_migrations', {
      body: { migration: { destination: 'there', dst_app_name: '', extra: 1 } },
    });
    expect(migrationShape.parse(json.json)).toMatchObject({
      status: 'created',
      dst_app_name: 'two-dialects',
    });
    const { json: all } = await stage.ask(`/apps/${app}/region_migrations`);
    expect(z.array(migrationShape).length(2).parse(all)[1]).toMatchObject({ id });
  });

  it.each([
    ['no JSON', '{"migration": {', 400],
    ['nothing', '', 400],
    ['no destination', { migration: {} }, 400],
    ['an unknown destination', { migration: { destination: 'nowhere' } }, 422],
    ['an unknown destination, as documented', '{"migration": {"nowhere"}}', 422],
    ['its own region and name', { migration: { destination: 'here' } }, 422],
    ['a bad name', { migration: { destination: 'there', dst_app_name: 'No Name!' } }, 422],
  ])('are refused with %s, and nothing is created', async (what, body, expected) => {
    const name = `refused-${what.replaceAll(/[^a-z]+/g, '-')}`.slice(0, 40).replace(/-$/, '');
    await createApp(stage, name);
    const { status, json } = await stage.ask(`/apps/${name}/region_migrations`, { body });
    expect(status).toBe(expected);
    expect(json).toHaveProperty(expected === 400 ? 'error' : 'errors');
    expect((await stage.ask(`/apps/${name}/region_migrations`)).json).toEqual([]);
  });

  it('are refused for what does not exist', async () => {
    const app = await createApp(stage, 'existing');
    const unknown = '/apps/existing/region_migrations/0b0c20b9-5e89-43cb-a44a-7a392a74aeea';
    const { id } = await migrate('existing', 'there');
    for (const [path, body, expected] of [
      ['/apps/nobody/region_migrations', undefined, 404],
      [`/apps/${newId()}/region_migrations`, undefined, 404],
      [`${stage.url}/regions/nowhere/v1/apps`, undefined, 404],
      [unknown, undefined, 404],
      [`${unknown}/run`, { step: 'prepare' }, 404],
      ['/apps/existing/region_migrations/not-an-id', undefined, 404],
      [`/apps/${app}/region_migrations/${id}/run`, { step: 'fly' }, 422],
      [`/apps/${app}/region_migrations/${id}/run`, {}, 422],
      [`/apps/${app}/region_migrations/${id}/run`, '{"step": ', 400],
      ['/nothing', undefined, 404],
    ] as const) {
      const { status } = await stage.ask(path, body === undefined ? {} : { body });
      expect([path, status]).toEqual([path, expected]);
    }
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'preflight-success' });
  });

  it('keep the app and its name from their first check on', async () => {
    const app = await createApp(stage, 'checked');
    const { id } = await migrate('checked', 'there');
    const rename = { body: { current_name: 'checked', new_name: 'renamed' } };
    const removal = () => stage.ask('/apps/checked?current_name=checked', { method: 'DELETE' });
    for (const { status, json } of [
      await stage.ask('/apps/checked/rename', rename),
      await removal(),
    ]) {
      const error = expect.stringContaining(`${id}, which is preflight-success. Abort it`);
      expect([status, json]).toEqual([409, { code: 'migration_open', error }]);
    }
    expect((await stage.ask('/apps/checked')).json).toMatchObject({ app: { id: app } });
    await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } });
    await migrationAtRest(app, id);
    expect((await removal()).status).toBe(204);
  });

  it('end in preflight-error when the destination is down; nothing was changed', async () => {
    const { app, migration } = await toNowhere;
    expect(migration.status).toBe('preflight-error');
    const logs = migration.steps.map((step) => step.logs).join('\n');
    expect(logs).toMatch(/Region gone cannot be reached/);
    await stage.ask(`/apps/${app}/region_migrations/${migration.id}/run`, {
      body: { step: 'abort' },
    });
    expect(await migrationAtRest(app, migration.id)).toMatchObject({ status: 'aborted' });
    expect((await stage.ask('/apps/to-nowhere')).json).toMatchObject({ app: { frozen_by: null } });
  });

  it('end in preflight-error, with every obstacle, when the destination lacks what it needs', async () => {
    await createApp(stage, 'needy');
    const namesake = { body: { app: { name: 'needy' } } };
    expect((await stage.ask(`${stage.url}/regions/bare/v1/apps`, namesake)).status).toBe(201);
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    expect((await stage.ask('/apps/needy/addons', { body: { addon } })).status).toBe(201);
    const { status, steps } = await migrate('needy', 'bare');
    expect(status).toBe('preflight-error');
    const logs = steps.map((step) => step.logs).join('\n');
    expect(logs).toMatch(/bare lacks postgresql/);
    expect(logs).toMatch(/bare already has an app named needy/);
    expect(steps.at(-1)).toMatchObject({ name: 'Preflight checks', status: 'error' });
  });

  it('freeze the app until they end', async () => {
    const app = await createApp(stage, 'frozen-app');
    const { id } = await migrate('frozen-app', 'there');
    await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'prepare' } });
    await migrationAtRest(app, id);
    const variable = { name: 'A', value: 'b' };
    const { status, json } = await stage.ask(`/apps/${app}/variables`, { body: { variable } });
    expect([status, json]).toEqual([409, { code: 'frozen', error: expect.stringContaining(id) }]);
    expect((await stage.ask(`/apps/${app}/variables`)).json).toEqual({ variables: [] });
    await stage.ask(`/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } });
    await migrationAtRest(app, id);
    expect((await stage.ask(`/apps/${app}/variables`, { body: { variable } })).status).toBe(201);
  });
});
