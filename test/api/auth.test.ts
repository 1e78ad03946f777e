import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { Agent } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Signer } from '../../src/api/auth/signer.js';
import { type Ask, basic } from './asking.js';
import { createApp } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let strangerToken: string;

beforeAll(async () => {
  stage = await startStage();
  strangerToken = await stage.join('bob');
});
afterAll(() => stage?.close());

type Shown = Omit<Ask, 'as' | 'headers'> & { authorization?: string };

/** Asks for any path there is, and shows whatever is given. */
const ask = (path: string, { authorization = basic(stage.token), ...how }: Shown = {}) =>
  stage.ask(`${stage.url}${path}`, { ...how, headers: { authorization } });

describe('who is let in', () => {
  it.each<[string, (token: string) => string]>([
    ['nothing', () => ''],
    ['a wrong token', () => basic('wrong')],
    ['a token with a user', (token) => basic(token, 'ada')],
    ['an empty password', () => basic('')],
    ['no base64', () => 'Basic %%%'],
    ['base64 that is spelled otherwise', (token) => `${basic(token)}=`],
    ['no JWT', () => 'Bearer x.y.z'],
    ['the API token as Bearer', (token) => `Bearer ${token}`],
    ['an unknown scheme', (token) => `Digest ${token}`],
  ])('not who shows %s', async (_, shown) => {
    const authorization = shown(stage.token);
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
    const mine = await stage.join('counted');
    const elsewhere = new Agent({ localAddress: '127.0.0.3' });
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
    const elsewhere = new Agent({ localAddress: '127.0.0.2' });
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
    const app = await createApp(stage, 'private-app');
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
    const exchange = (how: Shown) => ask('/v1/tokens/exchange', { method: 'POST', ...how });
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
    const kept = await stage.tables.selectFrom('tokens').select('hash').execute();
    expect(kept.map(({ hash }) => hash)).not.toContain(stage.token);
  });

  it('are exchanged for JWTs whose keys take turns, and are published', async () => {
    const exchange = async () => {
      const { json } = await ask('/v1/tokens/exchange', { method: 'POST' });
      return z.object({ token: z.string() }).parse(json).token;
    };
    const before = await exchange();
    await (await Signer.open(stage.tables)).rotate();
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
