import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeJwt } from 'jose';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import { atRest, createApp } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let curlHome: string;

beforeAll(async () => {
  stage = await startStage({ regions: ['osc-fr1', 'osc-secnum-fr1'] });
  // Tells the status without a change to the command lines.
  curlHome = await mkdtemp(join(tmpdir(), 'godwit-curl-'));
  await writeFile(join(curlHome, '.curlrc'), 'silent\nshow-error\nwrite-out = "\\n%{http_code}"\n');
});

afterAll(async () => {
  await stage?.close();
  await rm(curlHome, { recursive: true, force: true });
});

const step = z.object({
  id: z.uuid(),
  name: z.string().min(1),
  status: z.enum(['running', 'done', 'error']),
  logs: z.string().nullable(),
});
const statuses = [
  ...['created', 'preflight-success', 'preflight-error', 'running', 'prepared'],
  ...['data-migrated', 'aborting', 'aborted', 'error', 'done'],
];
const time = z.iso.datetime().transform((text) => new Date(text));
/** The types that clients decode into: unknown keys are ignored, null is only where it is documented. */
const migrationType = z.object({
  id: z.uuid(),
  src_app_name: z.string().min(1),
  dst_app_name: z.string().min(1),
  app_id: z.string().regex(/^[0-9a-f]{24}$/),
  new_app_id: z.string().nullable(),
  source: z.string().min(1),
  destination: z.string().min(1),
  status: z.enum(statuses),
  started_at: time,
  finished_at: time.nullable(),
  steps: z.array(step),
});

describe('the documented command lines', () => {
  const documentedId = 'b0c20b95-5e89-43cb-a44a-7a392a74aeea';
  const lines = {
    list: `curl -H 'Accept: application/json' -H 'Content-Type: application/json' -u ":$AUTH_TOKEN" \\
  -X GET https://$SCALINGO_API_URL/v1/apps/example-app/region_migrations`,
    create: `curl -H 'Accept: application/json' -H 'Content-Type: application/json' -u ":$AUTH_TOKEN" \\
  -X POST https://$SCALINGO_API_URL/v1/apps/example-app/region_migrations -d \\
	'{"migration": {"osc-secnum-fr1"}}'`,
    abort: `curl -H 'Accept: application/json' -H 'Content-Type: application/json' -u ":$AUTH_TOKEN" \\
  -X POST https://$SCALINGO_API_URL/v1/apps/example-app/region_migrations/b0c20b95-5e89-43cb-a44a-7a392a74aeea/run -d \\
	'{"step": "abort"}'`,
    run: `curl -H 'Accept: application/json' -H 'Content-Type: application/json' -u ":$AUTH_TOKEN" \\
  -X POST https://$SCALINGO_API_URL/v1/apps/example-app/region_migrations/b0c20b95-5e89-43cb-a44a-7a392a74aeea/run -d \\
	'{"step": "prepare"}'`,
  };

  async function shell(line: string, id = documentedId) {
    const here = line.replace('https://$SCALINGO_API_URL', stage.url).replace(documentedId, id);
    const { stdout } = await promisify(execFile)('sh', ['-c', here], {
      env: { ...process.env, AUTH_TOKEN: stage.token, CURL_HOME: curlHome },
    });
    const [, body = '', status] = /^(.*)\n(\d+)$/s.exec(stdout) ?? [];
    return { status: Number(status), body };
  }

  it('create, list, run and abort, with the documented status and attributes', async () => {
    const app_id = await createApp(stage, 'example-app');
    const created = await shell(lines.create);
    expect(created.status, created.body).toBe(201);
    const [migration] = z.tuple([migrationType]).parse(JSON.parse(created.body));
    expect(migration).toMatchObject({
      ...{ src_app_name: 'example-app', dst_app_name: 'example-app', app_id, new_app_id: null },
      ...{ status: 'created', finished_at: null, steps: [] },
      ...{ source: 'osc-fr1', destination: 'osc-secnum-fr1' },
    });
    const { id } = migration;
    await atRest(stage, app_id, id);

    const listed = await shell(lines.list);
    expect(listed.status).toBe(200);
    const [checked] = z.tuple([migrationType]).parse(JSON.parse(listed.body));
    expect(checked).toMatchObject({
      ...{ id, status: 'preflight-success', new_app_id: null, finished_at: expect.any(Date) },
      started_at: migration.started_at,
    });
    const names = [
      ...['Check addon versions', 'Check certificate validity', 'Check addons compatibility'],
      'Check if the name example-app is available on osc-secnum-fr1',
    ];
    const done = checked.steps.map(({ name, status }) => [name, status]);
    expect(done.slice(0, 4)).toEqual(names.map((name) => [name, 'done']));
    expect(done.at(-1)).toEqual(['Preflight checks', 'done']);

    expect(await shell(lines.run, id)).toEqual({ status: 204, body: '' });
    expect(await atRest(stage, app_id, id)).toMatchObject({ status: 'prepared' });
    expect(await shell(lines.abort, id)).toEqual({ status: 204, body: '' });
    expect(await atRest(stage, app_id, id)).toMatchObject({ status: 'aborted' });
  });
});

/** Talks as the published command-line client does, and decodes strictly. */
class StrictClient {
  #bearer = '';
  /** Statuses that it has seen, each once in a row. */
  readonly seen: string[] = [];

  async logIn(): Promise<void> {
    const basic = `Basic ${Buffer.from(`:${stage.token}`).toString('base64')}`;
    const { token } = await this.call(200, '/tokens/exchange', z.object({ token: z.string() }), {
      ...{ method: 'POST', authorization: basic },
    });
    expect(decodeJwt(token).exp).toEqual(expect.any(Number));
    this.#bearer = `Bearer ${token}`;
  }

  async call<T>(
    expected: number,
    path: string,
    type: z.ZodType<T>,
    {
      method = 'GET',
      body,
      authorization = this.#bearer,
      base = stage.url,
    }: { method?: 'GET' | 'POST'; body?: object; authorization?: string; base?: string } = {},
  ): Promise<T> {
    const answer = await request(`${base}/v1${path}`, {
      method,
      headers: { authorization, accept: 'application/json', 'content-type': 'application/json' },
      body: body ? JSON.stringify(body) : null,
    });
    const text = await answer.body.text();
    expect(answer.statusCode, text).toBe(expected);
    return type.parse(text === '' ? undefined : JSON.parse(text));
  }

  create(app: string) {
    const body = { migration: { destination: 'osc-secnum-fr1', dst_app_name: '' } };
    const path = `/apps/${app}/region_migrations`;
    return this.call(201, path, migrationType, { method: 'POST', body });
  }

  run(app: string, id: string, name: string) {
    const path = `/apps/${app}/region_migrations/${id}/run`;
    return this.call(204, path, z.undefined(), { method: 'POST', body: { step: name } });
  }

  show(app: string, id: string) {
    return this.call(200, `/apps/${app}/region_migrations/${id}`, migrationType);
  }

  /** Polls until the status is the wanted one, or one that ends everything. */
  async follow(app: string, id: string, wanted: string) {
    const last = await until(
      async () => {
        const migration = await this.show(app, id);
        if (this.seen.at(-1) !== migration.status) this.seen.push(migration.status);
        return [wanted, 'error', 'preflight-error', 'done'].includes(migration.status) && migration;
      },
      { timeout: 60_000, what: wanted },
    );
    const said = last.steps.map(({ name, logs }) => `${name}: ${logs}`).join('\n');
    expect(last.status, said).toBe(wanted);
    return last;
  }
}

describe('the published command-line client', () => {
  it.each([
    ['without addons', 'plain', false],
    ['with PostgreSQL', 'stored', true],
  ])('moves an app %s', async (_, app, hasDatabase) => {
    await createApp(stage, app);
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    if (hasDatabase) {
      expect((await stage.ask(`/apps/${app}/addons`, { body: { addon } })).status).toBe(201);
    }
    const client = new StrictClient();
    await client.logIn();
    const user = z.object({ user: z.object({ id: z.string(), username: z.string() }) });
    expect((await client.call(200, '/users/self', user)).user.username).toBe('owner');

    const { id, finished_at } = await client.create(app);
    expect(finished_at).toBeNull();
    await client.run(app, id, 'preflight');
    const checked = await client.follow(app, id, 'preflight-success');
    expect(checked.finished_at?.getTime()).toBeGreaterThanOrEqual(checked.started_at.getTime());
    await client.run(app, id, 'prepare');
    const prepared = await client.follow(app, id, 'prepared');
    expect(prepared.new_app_id).toMatch(/^[0-9a-f]{24}$/);
    await client.run(app, id, 'data');
    await client.follow(app, id, 'data-migrated');
    await client.run(app, id, 'finalize');
    const done = await client.follow(app, id, 'done');
    expect(await client.show(app, id)).toEqual(done);
    expect(done.steps.every(({ status }) => status === 'done')).toBe(true);
    const ids = done.steps.map((one) => one.id);
    expect(new Set(ids).size).toBe(ids.length);
    // It hides what was listed before, by id.
    expect(ids.slice(0, prepared.steps.length)).toEqual(prepared.steps.map((one) => one.id));
    expect(
      await client.call(200, `/apps/${app}/region_migrations`, z.array(migrationType)),
    ).toEqual([done]);

    const region = z.object({
      ...{ name: z.string(), display_name: z.string(), api: z.url(), dashboard: z.string() },
      ...{ database_api: z.string(), ssh: z.string(), default: z.boolean() },
    });
    const { regions } = await client.call(200, '/regions', z.object({ regions: z.array(region) }));
    const base = regions.find(({ name }) => name === 'osc-secnum-fr1')?.api ?? '';
    // A region without git says so by null, which decodes as an empty address.
    const moved = z.object({
      app: z.object({ id: z.string(), base_url: z.string(), git_url: z.string().nullable() }),
    });
    const there = await client.call(200, `/apps/${app}`, moved, { base });
    expect(there.app.id).toBe(done.new_app_id);
    const domains = z.object({ domains: z.array(z.object({ name: z.string() })) });
    expect(await client.call(200, `/apps/${app}/domains`, domains, { base })).toEqual({
      domains: [],
    });
  });

  it('aborts a migration', async () => {
    await createApp(stage, 'staying');
    const client = new StrictClient();
    await client.logIn();
    const { id } = await client.create('staying');
    await client.run('staying', id, 'abort');
    await client.follow('staying', id, 'aborted');
    expect(client.seen.filter((status) => status !== 'aborting')).toEqual(['aborted']);
  });
});
