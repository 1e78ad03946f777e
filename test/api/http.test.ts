import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import fc from 'fast-check';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { basic } from './asking.js';
import { createApp } from './migrating.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
  await createApp(stage, 'platform');
});
afterAll(() => stage?.close());

const anything = z.record(z.string(), z.unknown());

describe('the API', () => {
  it.each([
    '/users/self',
    '/apps/x',
    '/event_types',
    '/logs/x?token=x',
    '/tokens',
    '/sources/x?token=x',
  ])('has nothing at %s of a region that there is not', async (path) => {
    const method = path.startsWith('/sources') ? 'PUT' : 'GET';
    for (const authorization of [basic(stage.token), '']) {
      const { status, json } = await stage.ask(`${stage.url}/regions/nowhere/v1${path}`, {
        ...{ method, headers: { authorization } },
      });
      expect([status, json]).toEqual([404, { resource: 'Region', error: expect.any(String) }]);
    }
  });

  it('refuses JSON that is too deep, whatever is asked for', async () => {
    const deep = (levels: number) =>
      `{"x": ${'['.repeat(levels)}${']'.repeat(levels)}, "y": "[[{"}`;
    for (const path of ['/apps', '/apps/platform/region_migrations']) {
      const { status, json } = await stage.ask(path, { body: deep(100) });
      expect([status, json]).toEqual([
        400,
        { code: 'bad_request', error: expect.stringContaining('100 levels') },
      ]);
    }
    expect((await stage.ask('/apps', { body: deep(99) })).status).toBe(422);
    expect((await stage.ask('/apps', { body: deep(200_000) })).status).toBe(400);
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
    const { hostname, port } = new URL(stage.url);
    const socket = connect(Number(port), hostname);
    socket.end(sent);
    const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${expected} `));
    expect(JSON.parse(body)).toEqual({ error: expect.any(String), code: expect.any(String) });
  });

  it('describes itself', async () => {
    const open = { headers: { authorization: '' } };
    expect((await stage.ask(`${stage.url}/healthz`, open)).json).toEqual({ status: 'ok' });
    const { json } = await stage.ask(`${stage.url}/openapi.json`, open);
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
    const page = await request(`${stage.url}/docs/`);
    expect([page.statusCode, await page.body.text()]).toEqual([
      200,
      expect.stringContaining('<html'),
    ]);
    expect(document.paths).toHaveProperty('/v1/apps/{app}/region_migrations/{id}/run');
    expect(Object.keys(document.paths).some((path) => path.startsWith('/regions/'))).toBe(false);
  });

  it('never answers nonsense with a 5xx', async () => {
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
        const how = { method, ...(method !== 'GET' && { body }) };
        const { status, text, json } = await stage.ask(`${stage.url}${path}`, how);
        expect(status).toBeLessThan(500);
        expect(json === null).toBe(text === '');
      }),
      { numRuns: 200 },
    );
  });
});
