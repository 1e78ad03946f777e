import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { createParser } from 'eventsource-parser';
import { create } from 'tar';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import { type Answer, type Ask, basic } from './asking.js';
import { type Operation, operationsOf } from './openapi.js';
import { type Stage, startStage } from './platform-stage.js';

const ajv = new Ajv2020({ strict: false, allErrors: true });
formats.default(ajv);

let stage: Stage;
let operations: Operation[];
let files: string;
/** Of everything that the app has, by the path segment before it. */
const ids: Record<string, string> = {};
let logs = '';
let invitation = '';

beforeAll(async () => {
  stage = await startStage();
  operations = await operationsOf(stage);
  files = await mkdtemp(join(tmpdir(), 'godwit-contract-'));
  await writeFile(join(files, 'Procfile'), 'web: node server.cjs\n');
  const server = "require('node:http').createServer((_, answer) => answer.end('up'))";
  await writeFile(join(files, 'server.cjs'), `${server}.listen(process.env.PORT)\n`);
  await furnish();
});

afterAll(async () => {
  await stage?.close();
  await rm(files, { recursive: true, force: true });
});

const nowhere = '0'.repeat(24);

/** The operation that answers a request: of those that fit, the one with the fewest parameters. */
function operationOf(method: string, path: string): Operation {
  const asked = path.replace(/\?.*$/s, '').replace(/^\/regions\/[^/]+(?=\/v1\/)/, '');
  const parameters = ({ path: template }: Operation) => template.split('{').length;
  const [found] = operations
    .filter((one) => one.method === method)
    .filter((one) => new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(asked))
    .sort((a, b) => parameters(a) - parameters(b));
  if (!found) throw new Error(`the document has no ${method} ${asked}`);
  return found;
}

/** Asks, and holds the answer against the OpenAPI document. */
async function ask(path: string, how: Ask = {}): Promise<Answer> {
  const method = how.method ?? (how.body === undefined ? 'GET' : 'POST');
  const answer = await stage.ask(path, how);
  const full = path.startsWith('http') ? path.slice(stage.url.length) : `/v1${path}`;
  hold(method, full, answer);
  return answer;
}

function hold(method: string, path: string, { status, headers, text, json }: Answer): void {
  const what = `${method} ${path}: ${status} ${text}`;
  const response = operationOf(method, path).responses[String(status)];
  expect(response, what).toBeDefined();
  const [type = ''] = String(headers['content-type'] ?? '').split(';');
  if (response?.content) {
    const schema = response.content[type]?.schema;
    expect(schema, `${what}\n${type}`).toBeDefined();
    const isValid = ajv.validate(schema ?? false, type === 'application/json' ? json : text);
    expect(isValid, `${what}\n${ajv.errorsText()}`).toBe(true);
  } else expect(type, what).not.toBe('application/json');
  if (status === 429 || status === 503) {
    expect(Number(headers['retry-after']), what).toBeGreaterThan(0);
  }
}

/** The id of what is created. */
async function made(path: string, body: object, ...under: string[]): Promise<string> {
  const answer = await ask(path, { body });
  expect(answer.status, answer.text).toBe(201);
  const found = under.reduce(
    (json, key) => z.record(z.string(), z.unknown()).parse(json)[key],
    answer.json,
  );
  return z.object({ id: z.string() }).parse(found).id;
}

/** Makes an app that has one of everything. */
async function furnish(): Promise<void> {
  const app = await made('/apps', { app: { name: 'furnished' } }, 'app');
  const at = (list: string) => `/apps/${app}/${list}`;
  const source = z.object({
    source: z.object({ upload_url: z.string(), download_url: z.string() }),
  });
  const { upload_url, download_url } = source.parse(
    (await ask('/sources', { method: 'POST' })).json,
  ).source;
  const body = Readable.from(create({ gzip: true, cwd: files }, ['.']));
  expect((await request(upload_url, { method: 'PUT', body })).statusCode).toBe(200);
  const deployment = { source_url: download_url, git_ref: 'v1' };
  ids['deployments'] = await made(at('deployments'), { deployment }, 'deployment');
  await until(
    async () => (await ask(at(`deployments/${ids['deployments']}`))).text.includes('"success"'),
    { timeout: 30_000, what: 'the deployment' },
  );
  const scaled = await ask(at('scale'), { body: { containers: [{ name: 'web', amount: 1 }] } });
  expect(scaled.status).toBe(202);
  const operation = String(scaled.headers['location']);
  ids['operations'] = operation.split('/').at(-1) ?? '';
  await until(async () => (await ask(operation)).text.includes('"done"'), {
    ...{ timeout: 30_000, what: 'the app to be scaled' },
  });
  const platforms = z.object({ notification_platforms: z.array(z.object({ id: z.string() })) });
  const known = platforms.parse((await ask('/notification_platforms')).json);
  const platform_id = known.notification_platforms[0]?.id ?? '';
  const type_data = { webhook_url: 'https://example.org/hook' };
  const web = { container_type: 'web', metric: 'cpu' };
  const bounds = { min_containers: 1, max_containers: 2, target: 0.5 };
  const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
  const drain = { type: 'papertrail', host: 'logs.example.org', port: 1 };
  const link = { source: 'https://github.com/a/b', branch: 'main' };
  Object.assign(ids, {
    apps: app,
    addon_providers: 'postgresql',
    notification_platforms: platform_id,
    variables: await made(at('variables'), { variable: { name: 'A', value: 'b' } }, 'variable'),
    addons: await made(at('addons'), { addon }, 'addon'),
    domains: await made(at('domains'), { domain: { name: 'www.example.org' } }, 'domain'),
    notifiers: await made(
      at('notifiers'),
      { notifier: { platform_id, name: 'Tell', type_data } },
      'notifier',
    ),
    alerts: await made(at('alerts'), { alert: { ...web, limit: 0.8 } }, 'alert'),
    autoscalers: await made(at('autoscalers'), { autoscaler: { ...web, ...bounds } }, 'autoscaler'),
  });
  for (const list of ['log_drains', `addons/${ids['addons']}/log_drains`]) {
    expect((await ask(at(list), { body: { drain } })).status).toBe(201);
  }
  expect((await ask(at('scm_repo_link'), { body: { scm_repo_link: link } })).status).toBe(201);
  const collaborator = { email: 'eve@example.org' };
  const invited = await ask(at('collaborators'), { body: { collaborator } });
  const { invitation_link } = z
    .object({ collaborator: z.object({ invitation_link: z.string() }) })
    .parse(invited.json).collaborator;
  invitation = new URL(invitation_link).searchParams.get('token') ?? '';
  logs = z.object({ logs_url: z.string() }).parse((await ask(at('logs'))).json).logs_url;
  const migration = { destination: 'there' };
  ids['region_migrations'] = await made(at('region_migrations'), { migration });
  await atRest();
}

const migrations = () => `/apps/${ids['apps']}/region_migrations`;

async function atRest(id = ids['region_migrations']) {
  return until(
    async () => {
      const { json } = await ask(`${migrations()}/${id}`);
      const { status } = z.object({ status: z.string() }).parse(json);
      return !['created', 'running', 'aborting'].includes(status) && status;
    },
    { timeout: 60_000, what: 'the migration to be at rest' },
  );
}

/** An address of an operation for which there is something, or with `id` in place of every id. */
function addressOf({ path }: Operation, id?: string): string {
  const filled = path.replaceAll(
    /(\w+)\/\{\w+\}/g,
    (_, list: string) => `${list}/${id ?? ids[list]}`,
  );
  return filled.replace(/^\/v1/, '');
}

it('every operation has a name of its own, a summary, and examples as its schemas describe', () => {
  const names = operations.map(({ operationId }) => operationId);
  expect(new Set(names).size).toBe(names.length);
  for (const operation of operations) {
    expect(operation.operationId).toMatch(/^(get|post|put|patch|delete)[A-Z][A-Za-z]+$/);
    expect(operation.summary).not.toBe('');
    for (const [what, body] of [
      ['request', operation.requestBody],
      ...Object.entries(operation.responses),
    ] as const) {
      for (const [type, { schema, example }] of Object.entries(body?.content ?? {})) {
        if (type === 'application/gzip') continue;
        const of = `${operation.method} ${operation.path}: ${what} ${type}`;
        expect(example, of).toBeDefined();
        expect(ajv.validate(schema, example), `${of}\n${ajv.errorsText()}`).toBe(true);
      }
    }
  }
});

it('names the errors that an operation may answer with, and no others', () => {
  const statusesOf = (operation: Operation) =>
    Object.keys(operation.responses).filter((status) => status >= '400');
  const catalogue = operationOf('GET', '/v1/event_types');
  expect(statusesOf(catalogue)).toEqual(['400', '404', '422', '429', '500', '503']);
  const upload = operationOf('PUT', '/v1/sources/x');
  expect(upload.security).toEqual([]);
  expect(statusesOf(upload)).toEqual(expect.arrayContaining(['401', '413', '414', '415']));
  expect(Object.keys(upload.requestBody?.content ?? {})).toEqual(['application/gzip']);
  expect(statusesOf(operationOf('GET', '/v1/apps'))).not.toContain('413');
});

describe('every GET of the document', () => {
  const special: Record<string, () => [path: string, how: Ask]> = {
    '/v1/logs/{app}': () => [logs, {}],
    '/v1/notification_platforms/search': () => ['/notification_platforms/search?name=webhook', {}],
  };
  const gets = () =>
    operations.filter(({ method, path }) => method === 'GET' && !path.endsWith('/events'));
  const asking = (operation: Operation) =>
    special[operation.path]?.() ?? [addressOf(operation), {}];

  it('answers as described', async () => {
    const eve = await stage.join('eve');
    special['/v1/apps/collaboration'] = () => [
      `/apps/collaboration?token=${invitation}`,
      { as: eve },
    ];
    for (const operation of gets()) {
      const [path, how] = asking(operation);
      const { status, text } = await ask(path, how);
      expect(status, `${path}: ${text}`).toBe(200);
    }
    expect(gets().length).toBeGreaterThan(40);
  });

  it('refuses who shows no token, and what is not there, as described', async () => {
    for (const operation of gets()) {
      const [path, how] = asking(operation);
      const isOpen = operation.security?.length === 0 || path === logs;
      const { status } = await ask(path, { ...how, headers: { authorization: '' } });
      expect([path, status]).toEqual([path, isOpen ? 200 : 401]);
      if (!operation.path.includes('{') || path === logs) continue;
      const missing = addressOf(operation, nowhere);
      expect([missing, (await ask(missing)).status]).toEqual([missing, 404]);
    }
    expect((await ask(logs.replace(/token=.*/, 'token=x'))).status).toBe(401);
  });

  it('sends events that hold what the operations beside it describe', async () => {
    const path = `${migrations()}/${ids['region_migrations']}`;
    const answer = await request(`${stage.url}/v1${path}/events`, {
      headers: { authorization: basic(stage.token) },
    });
    expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
    let json: unknown;
    const parser = createParser({
      onEvent: ({ event, data }) => {
        if (event === 'snapshot') json = JSON.parse(data);
      },
    });
    for await (const text of answer.body.setEncoding('utf8')) {
      parser.feed(String(text));
      if (json !== undefined) break;
    }
    const shown = await ask(path);
    expect(json).toEqual(shown.json);
  });
});

describe('the region migrations', () => {
  const migration = { destination: 'there' };

  it.each<[number, string, Ask]>([
    [401, '', { headers: { authorization: 'Basic x' }, body: { migration } }],
    [404, 'nobody', { body: { migration } }],
    [409, '', { body: { migration } }],
    [422, '', { body: { migration: { destination: 'nowhere' } } }],
    [422, '', { body: { migration }, headers: { 'idempotency-key': 'k'.repeat(256) } }],
    [400, '', { body: { migration: {} } }],
  ])('are refused with %i by create, as described', async (expected, app, how) => {
    const { status } = await ask(`/apps/${app || ids['apps']}/region_migrations`, how);
    expect(status).toBe(expected);
  });

  it('run, fail and end as described', async () => {
    const run = async (step: string, id = ids['region_migrations']) => {
      const { status } = await ask(`${migrations()}/${id}/run`, { body: { step } });
      return status;
    };
    expect(await run('finalize')).toBe(409);
    expect(await run('fly')).toBe(422);
    expect(await run('prepare', nowhere)).toBe(404);
    const path = `${migrations()}/${ids['region_migrations']}/run`;
    const wrong = { headers: { authorization: 'Bearer x.y.z' }, body: { step: 'prepare' } };
    expect((await ask(path, wrong)).status).toBe(401);
    expect(await run('preflight')).toBe(204);
    expect(await run('prepare')).toBe(204);
    expect(await atRest()).toBe('prepared');
    const variable = { name: 'B', value: '' };
    expect((await ask(`/apps/${ids['apps']}/variables`, { body: { variable } })).status).toBe(409);
    expect(await run('abort')).toBe(204);
    expect(await atRest()).toBe('aborted');

    const again = await documentedCreate();
    expect(await run('abort', again)).toBe(204);
    expect(await atRest(again)).toBe('aborted');
    const third = await made(migrations(), { migration });
    for (const [step, status] of [
      ['preflight', 'preflight-success'],
      ['prepare', 'prepared'],
      ['data', 'data-migrated'],
      ['finalize', 'done'],
    ] as const) {
      expect(await run(step, third)).toBe(204);
      expect(await atRest(third)).toBe(status);
    }
    expect(await run('abort', third)).toBe(409);
    expect((await ask(migrations())).json).toHaveLength(3);
    const { json } = await ask(`${migrations()}/${third}`);
    const { new_app_id } = z.object({ new_app_id: z.string() }).parse(json);
    const [end, start, ...others] = z
      .object({ events: z.array(z.looseObject({ type: z.string() })) })
      .parse((await ask(`/apps/${new_app_id}/events`)).json).events;
    const of = { type_data: expect.objectContaining({ migration_id: third }) };
    expect(end).toMatchObject({ type: 'end_region_migration', ...of });
    expect(start).toMatchObject({ type: 'start_region_migration', ...of });
    expect(others).toEqual([]);
  });

  /** In the documented form, which is no JSON. */
  async function documentedCreate(): Promise<string> {
    const answer = await request(`${stage.url}/v1${migrations()}`, {
      method: 'POST',
      headers: { authorization: basic(stage.token) },
      body: '{"migration": {"there"}}',
    });
    const text = await answer.body.text();
    const json: unknown = JSON.parse(text);
    hold('POST', `/v1${migrations()}`, {
      ...{ status: answer.statusCode, headers: answer.headers, text, json },
    });
    return z.tuple([z.object({ id: z.string() })]).parse(json)[0].id;
  }
});

it('limited access, a region that is down and too many wrong tokens are refused as described', async () => {
  const limited = await stage.join('limited');
  await made('/apps', { app: { name: 'guarded' } }, 'app');
  const collaborator = { email: 'limited@example.org', is_limited: true };
  expect((await ask('/apps/guarded/collaborators', { body: { collaborator } })).status).toBe(201);
  expect((await ask('/apps/guarded/variables', { as: limited })).status).toBe(403);
  await stage.closeRegion('there');
  const { status } = await ask(`${stage.url}/regions/there/v1/apps/guarded`);
  expect(status).toBe(503);
  const elsewhere = `/regions/there/v1/apps/${ids['apps']}`;
  expect((await ask(`${stage.url}${elsewhere}`)).json).toMatchObject({ app: { region: 'here' } });
  expect((await ask('/events')).status).toBe(200);
  const guesses = Array.from({ length: 60 }, (_, n) => ask('/users/self', { as: `guess-${n}` }));
  const statuses = (await Promise.all(guesses)).map((answer) => answer.status);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
});
