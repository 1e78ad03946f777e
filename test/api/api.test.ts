import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import fc from 'fast-check';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { pino } from 'pino';
import { create } from 'tar';
import { Agent as HttpAgent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Agent, startAgent } from '../../src/agent/agent.js';
import { Accounts } from '../../src/api/auth/accounts.js';
import type { AccountTables } from '../../src/api/auth/schema.js';
import { Signer } from '../../src/api/auth/signer.js';
import { windowLength } from '../../src/migration/window.js';
import { Registry } from '../../src/region/registry.js';
import {
  type EmbeddedPostgresql,
  startEmbeddedPostgresql,
} from '../../src/server/embedded-postgresql.js';
import { type Server, startServer } from '../../src/server/server.js';
import { freePort } from '../../src/shared/free-port.js';
import { newId, newSecret } from '../../src/shared/ids.js';
import { until } from '../../src/shared/until.js';

const logger = pino({ level: 'silent' });
const token = newSecret();
const strangerToken = newSecret();
let dir: string;
let postgresql: EmbeddedPostgresql;
let server: Server;
const agents: Agent[] = [];
let pool: pg.Pool;
let accounts: Accounts;
/** A migration to a region that is down: given up only after a while, so it begins first of all. */
let toNowhere: Promise<{ app: string; migration: z.infer<typeof migrationShape> }>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'godwit-api-'));
  postgresql = await startEmbeddedPostgresql(join(dir, 'postgresql'));
  const agentToken = newSecret();
  const start = async (name: string, postgresql: string[] | null) => {
    const agent = await startAgent({
      ...{ name, dir: join(dir, name), host: '127.0.0.1', port: 0, edgePort: 0, edgeHttpsPort: 0 },
      ...{ token: agentToken, postgresql, logger },
    });
    agents.push(agent);
    return { name, url: `http://${agent.address}`, token: agentToken };
  };
  server = await startServer({
    ...{ host: '127.0.0.1', port: 0, database: { url: postgresql.url }, token, logger },
    registry: new Registry([
      await start('here', null),
      await start('there', null),
      await start('bare', []),
      { name: 'gone', url: `http://127.0.0.1:${await freePort()}`, token: agentToken },
    ]),
    requestsPerMinute: 100_000,
    window: windowLength,
    holdBudget: 30_000,
    copyBudget: 600_000,
    publicUrl: null,
  });
  pool = new pg.Pool({ connectionString: postgresql.url });
  accounts = new Accounts(new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool }) }));
  await accounts.ensureUser({ username: 'bob', email: 'bob@example.org' }, strangerToken);
  toNowhere = (async () => ({
    app: await createApp('to-nowhere'),
    migration: await migrate('to-nowhere', 'gone'),
  }))();
});

afterAll(async () => {
  await pool?.end();
  await server?.close();
  await Promise.all(agents.map((agent) => agent.close({ stop: true })));
  await postgresql?.stop();
  await rm(dir, { recursive: true, force: true });
});

const basic = (password: string, user = '') =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  body?: string | object;
  authorization?: string;
  key?: string;
  from?: HttpAgent;
}

async function ask(
  path: string,
  { method, body, authorization = basic(token), key, from }: Ask = {},
) {
  const answer = await request(`http://${server.address}${path}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      authorization,
      'content-type': 'application/json',
      ...(key !== undefined && { 'idempotency-key': key }),
    },
    body: typeof body === 'object' ? JSON.stringify(body) : (body ?? null),
    ...(from && { dispatcher: from }),
  });
  const text = await answer.body.text();
  const json: unknown = text === '' ? null : JSON.parse(text);
  return { status: answer.statusCode, headers: answer.headers, json };
}

const anything = z.record(z.string(), z.unknown());

async function createApp(name: string, prefix = '/v1'): Promise<string> {
  const { status, json } = await ask(`${prefix}/apps`, { body: { app: { name } } });
  expect(status).toBe(201);
  return z.object({ app: z.object({ id: z.string() }) }).parse(json).app.id;
}

const migrationShape = z.looseObject({
  id: z.string(),
  status: z.string(),
  steps: z.array(z.object({ name: z.string(), status: z.string(), logs: z.string().nullable() })),
});

async function migrationAtRest(app: string, id: string) {
  return until(
    async () => {
      const { json } = await ask(`/v1/apps/${app}/region_migrations/${id}`);
      const migration = migrationShape.parse(json);
      return !['created', 'running', 'aborting'].includes(migration.status) && migration;
    },
    { timeout: 60_000, what: 'the migration' },
  );
}

async function migrate(app: string, destination: string, dst_app_name = '') {
  const body = { migration: { destination, dst_app_name } };
  const { status, json } = await ask(`/v1/apps/${app}/region_migrations`, { body });
  expect(status).toBe(201);
  return migrationAtRest(app, migrationShape.parse(json).id);
}

describe('who is let in', () => {
  it.each([
    ['nothing', ''],
    ['a wrong token', basic('wrong')],
    ['a token with a user', basic(token, 'ada')],
    ['an empty password', basic('')],
    ['no base64', 'Basic %%%'],
    ['base64 that is spelled otherwise', `${basic(token)}=`],
    ['no JWT', 'Bearer x.y.z'],
    ['the API token as Bearer', `Bearer ${token}`],
    ['an unknown scheme', `Digest ${token}`],
  ])('not who shows %s', async (_, authorization) => {
    for (const path of ['/v1/apps', '/v1/apps/x/region_migrations', '/v1/users/self']) {
      const { status, json } = await ask(path, { authorization });
      expect(status).toBe(401);
      expect(json).toEqual({ error: expect.stringContaining('API token') });
    }
  });

  it('who exchanges a token for a JWT', async () => {
    const { json } = await ask('/v1/tokens/exchange', { method: 'POST' });
    const jwt = z.object({ token: z.string() }).parse(json).token;
    expect(decodeJwt(jwt).exp).toBeGreaterThan(Date.now() / 1000 + 3_000);
    const { json: self } = await ask('/v1/users/self', { authorization: `Bearer ${jwt}` });
    expect(self).toMatchObject({ user: { username: 'owner' } });
  });

  it('whatever is answered is counted, under the token however it is shown, or else the address', async () => {
    const mine = newSecret();
    await accounts.ensureUser({ username: 'counted', email: 'counted@example.org' }, mine);
    const elsewhere = new HttpAgent({ localAddress: '127.0.0.3' });
    const left = async (path: string, authorization: string) => {
      const { status, headers } = await ask(path, { authorization, from: elsewhere });
      return [status, Number(headers['x-ratelimit-remaining'])];
    };
    const exchange = async () => {
      const answer = await ask('/v1/tokens/exchange', {
        method: 'POST',
        authorization: basic(mine),
      });
      return `Bearer ${z.object({ token: z.string() }).parse(answer.json).token}`;
    };
    const [one, other] = [await exchange(), await exchange()];
    expect([
      await left('/v1/apps', basic(mine)),
      await left('/v1/apps', basic(mine).replace('Basic', 'bAsIc')),
      await left('/regions/here/v1/apps', one),
      await left('/v1/apps', other),
      await left('/v1/nothing', other),
      await left('/v1/event_types', other),
    ]).toEqual([
      ...[
        [200, 99_997],
        [200, 99_996],
        [200, 99_995],
        [200, 99_994],
        [404, 99_993],
        [200, 99_992],
      ],
    ]);
    expect([
      await left('/v1/apps', ''),
      await left('/v1/apps', basic('wrong')),
      await left('/v1/apps', `${basic(mine)}=`),
      await left('/v1/nothing', ''),
      await left('/v1/%zz', ''),
      await left('/healthz', ''),
    ]).toEqual([
      ...[
        [401, 99_999],
        [401, 99_998],
        [401, 99_997],
        [404, 99_996],
        [400, 99_995],
        [200, 99_994],
      ],
    ]);
    await elsewhere.close();
  });

  it('not who guesses: an address that is wrong too often has to wait, who is right has not', async () => {
    const elsewhere = new HttpAgent({ localAddress: '127.0.0.2' });
    const prefixes = ['/v1', '/regions/here/v1'];
    const guesses = Array.from({ length: 60 }, (_, n) =>
      ask(`${prefixes[n % 2]}/users/self`, { authorization: basic(`guess-${n}`), from: elsewhere }),
    );
    const answers = await Promise.all(guesses);
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited).toHaveLength(10);
    expect(Number(limited[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect(limited[0]?.json).toEqual({
      code: 'too_many_requests',
      error: expect.stringContaining('Too many wrong tokens'),
    });
    expect((await ask('/v1/users/self', { from: elsewhere })).status).toBe(200);
    await elsewhere.close();
  });

  it('an app is there for its owner and collaborators only', async () => {
    const app = await createApp('private-app');
    const stranger = { authorization: basic(strangerToken) };
    for (const ref of ['private-app', app]) {
      const { status, json } = await ask(`/v1/apps/${ref}/region_migrations`, stranger);
      expect([status, json]).toEqual([404, { resource: 'App', error: expect.any(String) }]);
    }
    expect((await ask('/v1/apps', stranger)).json).toEqual({ apps: [] });
    const collaborator = { email: 'bob@example.org' };
    await ask('/v1/apps/private-app/collaborators', { body: { collaborator } });
    expect((await ask('/v1/apps/private-app', stranger)).status).toBe(200);
    const removal = { ...stranger, method: 'DELETE' as const };
    expect((await ask('/v1/apps/private-app?current_name=private-app', removal)).status).toBe(403);
  });
});

describe('API tokens', () => {
  const shape = z.object({
    token: z.object({
      id: z.uuid(),
      name: z.string(),
      token: z.string(),
      last_used_at: z.null(),
    }),
  });

  it('are made, used, listed and revoked by their user', async () => {
    const made = await ask('/v1/tokens', { body: { token: { name: 'for a script' } } });
    expect(made.status).toBe(201);
    const { id, token: secret } = shape.parse(made.json).token;
    const mine = { authorization: basic(secret) };
    expect((await ask('/v1/users/self', mine)).json).toMatchObject({ user: { username: 'owner' } });
    const exchange = (how: Ask) => ask('/v1/tokens/exchange', { method: 'POST', ...how });
    const session = `Bearer ${z.object({ token: z.string() }).parse((await exchange(mine)).json).token}`;
    expect((await ask('/v1/users/self', { authorization: session })).status).toBe(200);
    const longer = await exchange({ authorization: session });
    expect([longer.status, longer.json]).toEqual([
      401,
      { error: expect.stringContaining('HTTP Basic') },
    ]);
    const listed = (await ask('/v1/tokens')).json;
    expect(JSON.stringify(listed)).not.toContain(secret);
    expect(listed).toMatchObject({
      tokens: [{ id, name: 'for a script', last_used_at: expect.any(String) }, { name: 'first' }],
    });
    const byStranger = { method: 'DELETE' as const, authorization: basic(strangerToken) };
    expect((await ask(`/v1/tokens/${id}`, byStranger)).status).toBe(404);
    expect((await ask(`/v1/tokens/${id}`, { method: 'DELETE' })).status).toBe(204);
    for (const authorization of [basic(secret), session]) {
      expect((await ask('/v1/users/self', { authorization })).status).toBe(401);
    }
    const { rows } = await pool.query<{ hash: string }>('SELECT hash FROM tokens');
    expect(rows.map(({ hash }) => hash)).not.toContain(token);
  });

  it('are exchanged for JWTs whose keys take turns, and are published', async () => {
    const exchange = async () => {
      const { json } = await ask('/v1/tokens/exchange', { method: 'POST' });
      return z.object({ token: z.string() }).parse(json).token;
    };
    const before = await exchange();
    const tables = new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool }) });
    await (await Signer.open(tables)).rotate();
    const { json } = await ask('/.well-known/jwks.json', { authorization: '' });
    const keySet = z.object({ keys: z.array(z.looseObject({ kid: z.string() })) }).parse(json);
    expect(keySet.keys.length).toBeGreaterThan(1);
    expect(JSON.stringify(keySet)).not.toMatch(/"d":/);
    const after = await exchange();
    for (const jwt of [before, after]) {
      expect((await ask('/v1/users/self', { authorization: `Bearer ${jwt}` })).status).toBe(200);
      const { payload } = await jwtVerify(jwt, createLocalJWKSet(keySet));
      expect(payload.aud).toBe('session');
    }
    expect(decodeProtectedHeader(after).kid).not.toBe(decodeProtectedHeader(before).kid);
  });
});

describe('region migrations', () => {
  it('are created once, and phases run once, however often a client repeats itself', async () => {
    const app = await createApp('repeater');
    const path = `/v1/apps/${app}/region_migrations`;
    const create = (destination: string, key: string) =>
      ask(path, { body: { migration: { destination } }, key });
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
    const run = (step: string, key: string) => ask(`${path}/${id}/run`, { body: { step }, key });
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
    const app = await createApp('racer');
    const path = `/v1/apps/${app}/region_migrations`;
    for (let round = 0; round < 4; round += 1) {
      const body = { migration: { destination: 'there' } };
      const answers = await Promise.all([ask(path, { body }), ask(path, { body })]);
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const created = answers.find(({ status }) => status === 201);
      const { id } = migrationShape.parse(created?.json);
      await ask(`${path}/${id}/run`, { body: { step: 'abort' } });
      expect(await migrationAtRest(app, id)).toMatchObject({ status: 'aborted' });
    }
  });

  it('keep what they make to themselves until they hand it over', async () => {
    const app = await createApp('kept');
    const path = `/v1/apps/${app}/region_migrations`;
    const created = await ask(path, { body: { migration: { destination: 'there' } } });
    const { id } = migrationShape.parse(created.json);
    await migrationAtRest(app, id);
    await ask(`${path}/${id}/run`, { body: { step: 'prepare' } });
    const { new_app_id } = await migrationAtRest(app, id);
    const attempts = [
      ask(`/v1/apps/${new_app_id}?current_name=kept`, { method: 'DELETE' }),
      ask(`/v1/apps/${new_app_id}/restart`, { method: 'POST' }),
      ask(`/v1/apps/${new_app_id}/start`, { method: 'POST' }),
      ask(`/v1/apps/${new_app_id}/variables`, { body: { variable: { name: 'A', value: 'b' } } }),
      ask(`/v1/apps/${new_app_id}/region_migrations`, {
        body: { migration: { destination: 'here', dst_app_name: 'other' } },
      }),
    ];
    for (const { status, json } of await Promise.all(attempts)) {
      expect([status, json]).toEqual([409, { error: expect.stringContaining(id), code: 'frozen' }]);
    }
    await ask(`${path}/${id}/run`, { body: { step: 'finalize' } });
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'done' });
    const variable = { name: 'A', value: 'b' };
    const changed = await ask(`/v1/apps/${new_app_id}/variables`, { body: { variable } });
    expect(changed.status).toBe(201);
    const again = await ask(path, { body: { migration: { destination: 'bare' } } });
    expect(again.json).toMatchObject({
      error: expect.stringMatching(/has moved: it is kept on there/),
    });
  });

  it('are created in either dialect, and found by name and id', async () => {
    const app = await createApp('two-dialects');
    const documented = await ask(`/v1/apps/${app}/region_migrations`, {
      body: '{"migration": {"there"}}',
    });
    expect(documented.status).toBe(201);
    const [first] = z.array(migrationShape).length(1).parse(documented.json);
    const again = await ask('/v1/apps/two-dialects/region_migrations', {
      body: { migration: { destination: 'there' } },
    });
    const id = first?.id ?? '';
    expect([again.status, again.json]).toEqual([
      409,
      { code: 'migration_open', error: expect.stringContaining(id) },
    ]);
    await migrationAtRest(app, id);
    const third = await ask(`/v1/apps/${app}/region_migrations`, {
      body: { migration: { destination: 'bare' } },
    });
    expect(JSON.stringify(third.json)).toContain(
      `${id}, which is preflight-success. It can be asked to prepare or abort now.`,
    );
    expect(
      (await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step: 'preflight' } }))
        .status,
    ).toBe(204);
    for (const step of ['data', 'finalize']) {
      const early = await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step } });
      expect([early.status, early.json]).toEqual([
        409,
        { code: 'wrong_status', error: expect.stringContaining('prepare or abort') },
      ]);
    }
    expect(
      (await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } }))
        .status,
    ).toBe(204);
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'aborted' });
    const json = await ask('/v1/apps/two-dialects/region_migrations', {
      body: { migration: { destination: 'there', dst_app_name: '', extra: 1 } },
    });
    expect(migrationShape.parse(json.json)).toMatchObject({
      status: 'created',
      dst_app_name: 'two-dialects',
    });
    const { json: all } = await ask(`/v1/apps/${app}/region_migrations`);
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
    await createApp(name);
    const { status, json } = await ask(`/v1/apps/${name}/region_migrations`, { body });
    expect(status).toBe(expected);
    expect(anything.parse(json)).toHaveProperty(expected === 400 ? 'error' : 'errors');
    expect((await ask(`/v1/apps/${name}/region_migrations`)).json).toEqual([]);
  });

  it('are refused for what does not exist', async () => {
    const app = await createApp('existing');
    const unknown = '/v1/apps/existing/region_migrations/0b0c20b9-5e89-43cb-a44a-7a392a74aeea';
    const { id } = await migrate('existing', 'there');
    for (const [path, body, expected] of [
      ['/v1/apps/nobody/region_migrations', undefined, 404],
      [`/v1/apps/${newId()}/region_migrations`, undefined, 404],
      ['/regions/nowhere/v1/apps', undefined, 404],
      [unknown, undefined, 404],
      [`${unknown}/run`, { step: 'prepare' }, 404],
      ['/v1/apps/existing/region_migrations/not-an-id', undefined, 404],
      [`/v1/apps/${app}/region_migrations/${id}/run`, { step: 'fly' }, 422],
      [`/v1/apps/${app}/region_migrations/${id}/run`, {}, 422],
      [`/v1/apps/${app}/region_migrations/${id}/run`, '{"step": ', 400],
      ['/v1/nothing', undefined, 404],
    ] as const) {
      const { status } = await ask(path, body === undefined ? {} : { body });
      expect([path, status]).toEqual([path, expected]);
    }
    expect(await migrationAtRest(app, id)).toMatchObject({ status: 'preflight-success' });
  });

  it('keep the app and its name from their first check on', async () => {
    const app = await createApp('checked');
    const { id } = await migrate('checked', 'there');
    const rename = { body: { current_name: 'checked', new_name: 'renamed' } };
    const removal = () => ask('/v1/apps/checked?current_name=checked', { method: 'DELETE' });
    for (const { status, json } of [
      await ask('/v1/apps/checked/rename', rename),
      await removal(),
    ]) {
      const error = expect.stringContaining(`${id}, which is preflight-success. Abort it`);
      expect([status, json]).toEqual([409, { code: 'migration_open', error }]);
    }
    expect((await ask('/v1/apps/checked')).json).toMatchObject({ app: { id: app } });
    await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } });
    await migrationAtRest(app, id);
    expect((await removal()).status).toBe(204);
  });

  it('end in preflight-error when the destination is down; nothing was changed', async () => {
    const { app, migration } = await toNowhere;
    expect(migration.status).toBe('preflight-error');
    const logs = migration.steps.map((step) => step.logs).join('\n');
    expect(logs).toMatch(/Region gone cannot be reached/);
    await ask(`/v1/apps/${app}/region_migrations/${migration.id}/run`, { body: { step: 'abort' } });
    expect(await migrationAtRest(app, migration.id)).toMatchObject({ status: 'aborted' });
    expect((await ask('/v1/apps/to-nowhere')).json).toMatchObject({ app: { frozen_by: null } });
  });

  it('end in preflight-error, with every obstacle, when the destination lacks what it needs', async () => {
    await createApp('needy');
    await createApp('needy', '/regions/bare/v1');
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    expect((await ask('/v1/apps/needy/addons', { body: { addon } })).status).toBe(201);
    const { status, steps } = await migrate('needy', 'bare');
    expect(status).toBe('preflight-error');
    const logs = steps.map((step) => step.logs).join('\n');
    expect(logs).toMatch(/bare lacks postgresql/);
    expect(logs).toMatch(/bare already has an app named needy/);
    expect(steps.at(-1)).toMatchObject({ name: 'Preflight checks', status: 'error' });
  });

  it('freeze the app until they end', async () => {
    const app = await createApp('frozen-app');
    const { id } = await migrate('frozen-app', 'there');
    await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step: 'prepare' } });
    await migrationAtRest(app, id);
    const variable = { name: 'A', value: 'b' };
    const { status, json } = await ask(`/v1/apps/${app}/variables`, { body: { variable } });
    expect([status, json]).toEqual([409, { code: 'frozen', error: expect.stringContaining(id) }]);
    expect((await ask(`/v1/apps/${app}/variables`)).json).toEqual({ variables: [] });
    await ask(`/v1/apps/${app}/region_migrations/${id}/run`, { body: { step: 'abort' } });
    await migrationAtRest(app, id);
    expect((await ask(`/v1/apps/${app}/variables`, { body: { variable } })).status).toBe(201);
  });
});

describe('the platform', () => {
  it.each([
    ['/v1/apps', { app: { name: 'No Name' } }, 422],
    ['/v1/apps', { app: { name: 'platform' } }, 422],
    ['/v1/apps', {}, 422],
    ['/v1/apps', { app: { name: 'two--hyphens' } }, 422],
    ['/v1/apps', { app: { name: 'collaboration' } }, 422],
    ['/v1/apps', { app: { name: '54100930736f7563d5030000' } }, 422],
    ['/v1/apps/platform/rename', { current_name: 'platform', new_name: 'a--b' }, 422],
    ['/v1/apps/platform/variables', { variable: { name: '__proto__', value: '' } }, 422],
    ['/v1/apps/platform/variables', { variable: { name: 'A'.repeat(65), value: '' } }, 422],
    [
      '/v1/apps/platform/region_migrations',
      { migration: { destination: 'there', dst_app_name: 'collaboration' } },
      422,
    ],
    ['/v1/apps/platform/variables', { variable: { name: '1A', value: '' } }, 422],
    ['/v1/apps/platform/variables', { variable: { name: 'A', value: 1 } }, 422],
    ['/v1/apps/platform/scale', { containers: [{ name: 'web', amount: -1 }] }, 422],
    ['/v1/apps/platform/scale', { containers: [{ name: 'web', amount: 1e9 }] }, 422],
    ['/v1/apps/platform/domains', { domain: { name: 'no name' } }, 422],
    ['/v1/apps/platform/collaborators', { collaborator: { email: 'x' } }, 422],
    ['/v1/apps/platform/addons', { addon: { addon_provider_id: 'x', plan_id: 'y' } }, 422],
    ['/v1/apps/platform/deployments', { deployment: { source_url: 'http://example.org/x' } }, 422],
    ['/v1/apps/platform/deployments', { deployment: { source_url: 'x' } }, 422],
    ['/v1/apps/platform/rename', { current_name: 'other', new_name: 'good-name' }, 422],
  ])('refuses %s %j', async (path, body, expected) => {
    await ask('/v1/apps', { body: { app: { name: 'platform' } } });
    const before = (await ask('/v1/apps/platform')).json;
    const { status, json } = await ask(path, { body });
    expect([status, json]).toEqual([expected, { errors: expect.any(Object) }]);
    expect((await ask('/v1/apps/platform')).json).toEqual(before);
  });

  it('lets a name begin with a digit, and a variable be called constructor', async () => {
    await createApp('4rums');
    const named = ['constructor', 'A'.repeat(64)].map((name) => ({ name, value: 'x' }));
    const set = { method: 'PUT' as const, body: { variables: named } };
    expect((await ask('/v1/apps/4rums/variables', set)).status).toBe(200);
    const proto = '{"variables": [{"name": "__proto__", "value": "x"}]}';
    const refused = await ask('/v1/apps/4rums/variables', { method: 'PUT', body: proto });
    expect([refused.status, JSON.stringify(refused.json)]).toEqual([
      422,
      expect.stringContaining('__proto__'),
    ]);
  });

  it.each([
    '/users/self',
    '/apps/x',
    '/event_types',
    '/logs/x?token=x',
    '/tokens',
    '/sources/x?token=x',
  ])('has nothing at %s of a region that there is not', async (path) => {
    const method = path.startsWith('/sources') ? 'PUT' : 'GET';
    for (const authorization of [basic(token), '']) {
      const { status, json } = await ask(`/regions/nowhere/v1${path}`, { authorization, method });
      expect([status, json]).toEqual([404, { resource: 'Region', error: expect.any(String) }]);
    }
  });

  it('refuses JSON that is too deep, whatever is asked for', async () => {
    const deep = (levels: number) =>
      `{"x": ${'['.repeat(levels)}${']'.repeat(levels)}, "y": "[[{"}`;
    for (const path of ['/v1/apps', '/v1/apps/platform/region_migrations']) {
      const { status, json } = await ask(path, { body: deep(100) });
      expect([status, json]).toEqual([
        400,
        { code: 'bad_request', error: expect.stringContaining('100 levels') },
      ]);
    }
    expect((await ask('/v1/apps', { body: deep(99) })).status).toBe(422);
    expect((await ask('/v1/apps', { body: deep(200_000) })).status).toBe(400);
  });

  it.each([
    ['an unknown method', 'FLY /v1/apps HTTP/1.1\r\nhost: x\r\n\r\n', 400],
    ['no HTTP', 'hello\r\n\r\n', 400],
    [
      'a bad chunk',
      'POST /v1/apps HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      400,
    ],
    ['long headers', `GET /v1/apps HTTP/1.1\r\nhost: x\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ])('answers %s with JSON, too', async (_, sent, expected) => {
    const [host = '', port] = server.address.split(':');
    const socket = connect(Number(port), host);
    socket.end(sent);
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${expected} `));
    expect(JSON.parse(body)).toEqual({ error: expect.any(String), code: expect.any(String) });
  });

  it('refuses an archive without a Procfile, and an address that is not its own', async () => {
    await ask('/v1/apps', { body: { app: { name: 'platform' } } });
    const { json } = await ask('/v1/sources', { method: 'POST' });
    const url = z.object({ source: z.object({ upload_url: z.string() }) }).parse(json)
      .source.upload_url;
    const upload = (to: string) =>
      request(to, {
        method: 'PUT',
        body: Readable.from(create({ gzip: true, cwd: import.meta.dirname }, ['api.test.ts'])),
      });
    expect((await upload(url)).statusCode).toBe(200);
    expect((await upload(url.replace(/token=./, 'token=x'))).statusCode).toBe(401);
    for (const elsewhere of [
      url.replace('/here/', '/there/'),
      url.replace(/sources\/./, 'sources/x'),
    ]) {
      expect((await upload(elsewhere)).statusCode).toBe(401);
    }
    expect(await readdir(join(dir, 'there', 'sources')).catch(() => [])).toEqual([]);
    const { status, json: answer } = await ask('/v1/apps/platform/deployments', {
      body: { deployment: { source_url: url } },
    });
    expect([status, answer]).toEqual([
      422,
      { errors: { source_url: [expect.stringContaining('Procfile')] } },
    ]);
  });

  it('describes itself', async () => {
    expect((await ask('/healthz', { authorization: '' })).json).toEqual({ status: 'ok' });
    const { json } = await ask('/openapi.json', { authorization: '' });
    const document = z.object({ openapi: z.string(), paths: anything }).parse(json);
    expect(document.openapi).toBe('3.1.0');
    const problems = await lintFromString({
      source: JSON.stringify(json),
      config: await createConfig({ extends: ['recommended'] }),
    });
    expect(problems.map(({ message, location }) => [message, location])).toEqual([]);
    expect(anything.parse(json)['servers']).toEqual([
      expect.objectContaining({ url: '/' }),
      expect.objectContaining({
        url: '/regions/{region}',
        variables: { region: expect.objectContaining({ default: 'here' }) },
      }),
    ]);
    const page = await request(`http://${server.address}/docs/`);
    expect([page.statusCode, await page.body.text()]).toEqual([
      200,
      expect.stringContaining('<html'),
    ]);
    expect(document.paths).toHaveProperty('/v1/apps/{app}/region_migrations/{id}/run');
    expect(Object.keys(document.paths).some((path) => path.startsWith('/regions/'))).toBe(false);
  });

  it('never answers nonsense with a 5xx', async () => {
    await ask('/v1/apps', { body: { app: { name: 'platform' } } });
    const path = fc.constantFrom(
      '/v1/apps',
      '/v1/apps/platform/region_migrations',
      '/v1/apps/platform/region_migrations/x/run',
      '/v1/apps/platform/variables',
      '/v1/apps/platform/scale',
      '/v1/apps/%00/variables',
      '/v1/apps/..%2f..%2fetc/variables',
      '/regions/here/v1/apps/platform/addons',
    );
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE');
    const body = fc.oneof(fc.string(), fc.json());
    await fc.assert(
      fc.asyncProperty(path, method, body, async (path, method, body) => {
        const { status } = await ask(path, { method, ...(method !== 'GET' && { body }) });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 200 },
    );
  });
});
