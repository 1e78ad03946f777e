import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { create } from 'tar';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Ask } from '../asking.js';
import { atRest, createApp, the } from '../migrating.js';
import { type Stage, startStage } from '../platform-stage.js';

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
  await createApp(stage, 'platform');
  await createApp(stage, 'steady');
  await stage.join('bob');
  const collaborator = { email: 'bob@example.org' };
  await stage.ask('/apps/steady/collaborators', { body: { collaborator } });
});
afterAll(() => stage?.close());

/** Everything the API shows of an app, but for times of change. */
async function everything(app: string): Promise<unknown> {
  const lists = ['', '/variables', '/containers', '/addons', '/domains', '/collaborators'];
  lists.push('/notifiers', '/alerts', '/autoscalers', '/log_drains', '/scm_repo_link');
  return Promise.all(lists.map(async (list) => (await stage.ask(`/apps/${app}${list}`)).text));
}

describe('the platform', () => {
  it.each([
    ['/apps', { app: { name: 'No Name' } }, 422],
    ['/apps', { app: { name: 'platform' } }, 422],
    ['/apps', {}, 422],
    ['/apps', { app: { name: 'two--hyphens' } }, 422],
    ['/apps', { app: { name: 'collaboration' } }, 422],
    ['/apps', { app: { name: '54100930736f7563d5030000' } }, 422],
    ['/apps/platform/rename', { current_name: 'platform', new_name: 'a--b' }, 422],
    ['/apps/platform/variables', { variable: { name: '__proto__', value: '' } }, 422],
    ['/apps/platform/variables', { variable: { name: 'A'.repeat(65), value: '' } }, 422],
    [
      '/apps/platform/region_migrations',
      { migration: { destination: 'there', dst_app_name: 'collaboration' } },
      422,
    ],
    ['/apps/platform/variables', { variable: { name: '1A', value: '' } }, 422],
    ['/apps/platform/variables', { variable: { name: 'A', value: 1 } }, 422],
    ['/apps/platform/scale', { containers: [{ name: 'web', amount: -1 }] }, 422],
    ['/apps/platform/scale', { containers: [{ name: 'web', amount: 1e9 }] }, 422],
    ['/apps/platform/domains', { domain: { name: 'no name' } }, 422],
    ['/apps/platform/collaborators', { collaborator: { email: 'x' } }, 422],
    ['/apps/platform/addons', { addon: { addon_provider_id: 'x', plan_id: 'y' } }, 422],
    ['/apps/platform/deployments', { deployment: { source_url: 'http://example.org/x' } }, 422],
    ['/apps/platform/deployments', { deployment: { source_url: 'x' } }, 422],
    ['/apps/platform/rename', { current_name: 'other', new_name: 'good-name' }, 422],
  ])('refuses %s %j', async (path, body, expected) => {
    const before = (await stage.ask('/apps/platform')).json;
    const { status, json } = await stage.ask(path, { body });
    expect([status, json]).toEqual([expected, { errors: expect.any(Object) }]);
    expect((await stage.ask('/apps/platform')).json).toEqual(before);
  });

  it('lets a name begin with a digit, and a variable be called constructor', async () => {
    await createApp(stage, '4rums');
    const named = ['constructor', 'A'.repeat(64)].map((name) => ({ name, value: 'x' }));
    const set = { method: 'PUT' as const, body: { variables: named } };
    expect((await stage.ask('/apps/4rums/variables', set)).status).toBe(200);
    const proto = '{"variables": [{"name": "__proto__", "value": "x"}]}';
    const refused = await stage.ask('/apps/4rums/variables', { method: 'PUT', body: proto });
    expect([refused.status, JSON.stringify(refused.json)]).toEqual([
      422,
      expect.stringContaining('__proto__'),
    ]);
  });

  it('refuses an archive without a Procfile, and an address that is not its own', async () => {
    const address = z.object({ upload_url: z.string() });
    const { upload_url: url } = await the(stage, 'source', address, 201, '/sources', {
      method: 'POST',
    });
    const upload = (to: string) =>
      request(to, {
        method: 'PUT',
        body: Readable.from(create({ gzip: true, cwd: import.meta.dirname }, ['refusals.test.ts'])),
      });
    expect((await upload(url)).statusCode).toBe(200);
    expect((await upload(url.replace(/token=./, 'token=x'))).statusCode).toBe(401);
    for (const elsewhere of [
      url.replace('/here/', '/there/'),
      url.replace(/sources\/./, 'sources/x'),
    ]) {
      expect((await upload(elsewhere)).statusCode).toBe(401);
    }
    expect(await readdir(join(stage.dir, 'there', 'sources')).catch(() => [])).toEqual([]);
    const { status, json: answer } = await stage.ask('/apps/platform/deployments', {
      body: { deployment: { source_url: url } },
    });
    expect([status, answer]).toEqual([
      422,
      { errors: { source_url: [expect.stringContaining('Procfile')] } },
    ]);
  });
});

describe('nothing changes', () => {
  const id = '0'.repeat(24);
  it.each<[Ask['method'], string, object | undefined, number]>([
    ['PATCH', '', { app: { owner: 'nobody@example.org' } }, 422],
    ['PATCH', '', { app: { stack_id: 'st-none' } }, 422],
    ['PATCH', '', { app: { force_https: 'yes' } }, 422],
    ['DELETE', '/variables', { variable_ids: [id] }, 404],
    ['DELETE', '/variables', undefined, 422],
    ['GET', '/variables?aliases=perhaps', undefined, 422],
    ['POST', '/scale', { containers: [{ name: 'web', amount: 1, size: 'XXL' }] }, 422],
    ['POST', '/restart', { scope: ['nobody'] }, 422],
    ['POST', '/domains', { domain: { name: 'a.example.org', tlscert: 'x' } }, 422],
    ['PATCH', `/domains/${id}`, { domain: { canonical: true } }, 404],
    ['PATCH', `/addons/${id}`, { addon: { plan_id: 'x' } }, 404],
    ['POST', '/collaborators', { collaborator: { email: 'bob@example.org' } }, 422],
    ['PATCH', `/collaborators/${id}`, { collaborator: { is_limited: true } }, 404],
    ['POST', '/notifiers', {}, 422],
    ['POST', '/notifiers', { notifier: { platform_id: id, name: 'x' } }, 422],
    ['PATCH', '/notifiers/none', { notifier: { name: 'x' } }, 404],
    ['POST', '/alerts', { alert: { container_type: 'web', metric: 'luck', limit: 1 } }, 422],
    [
      'POST',
      '/alerts',
      { alert: { container_type: 'web', metric: 'cpu', limit: 1, notifiers: ['no'] } },
      422,
    ],
    ['POST', '/autoscalers', { autoscaler: { container_type: 'web' } }, 422],
    ['DELETE', '/autoscalers/none', undefined, 404],
    ['POST', '/log_drains', { drain: { type: 'pigeon' } }, 422],
    ['POST', '/log_drains', { drain: { type: 'datadog', token: 't' } }, 422],
    ['POST', '/log_drains', { drain: { type: 'syslog', host: 'h.org', port: 'x' } }, 422],
    ['POST', '/log_drains', { drain: { type: 'elk', url: 'file:///etc/passwd' } }, 422],
    ['DELETE', '/log_drains', undefined, 422],
    ['POST', '/scm_repo_link', { scm_repo_link: { source: 'heron' } }, 422],
    ['PATCH', '/scm_repo_link', { scm_repo_link: { branch: 'x' } }, 404],
    ['DELETE', '/scm_repo_link', undefined, 404],
  ])('by %s %s with %j: %i', async (method, path, body, expected) => {
    const before = await everything('steady');
    const { status, json } = await stage.ask(`/apps/steady${path}`, {
      ...(method && { method }),
      ...(body && { body }),
    });
    expect([status, json]).toMatchObject([
      expected,
      expected === 404 ? { error: expect.any(String) } : { errors: {} },
    ]);
    expect(await everything('steady')).toEqual(before);
  });

  it('while a migration has frozen the app', async () => {
    const app = await createApp(stage, 'frozen');
    const migrations = `/apps/${app}/region_migrations`;
    const created = await stage.ask(migrations, { body: { migration: { destination: 'there' } } });
    const { id } = z.object({ id: z.string() }).parse(created.json);
    expect(await atRest(stage, app, id)).toMatchObject({ status: 'preflight-success' });
    await stage.ask(`${migrations}/${id}/run`, { body: { step: 'prepare' } });
    expect(await atRest(stage, app, id)).toMatchObject({ status: 'prepared' });
    const before = await everything('frozen');
    const drain = { type: 'papertrail', host: 'h.org', port: 1 };
    const autoscaler = {
      container_type: 'web',
      min_containers: 1,
      max_containers: 2,
      metric: 'cpu',
      target: 1,
    };
    for (const [method, path, body] of [
      ['PATCH', '', { app: { force_https: true } }],
      ['POST', '/log_drains', { drain }],
      ['POST', '/autoscalers', { autoscaler }],
      ['POST', '/scm_repo_link', { scm_repo_link: { source: 'https://github.com/a/b' } }],
      ['POST', '/alerts', { alert: { container_type: 'web', metric: 'cpu', limit: 1 } }],
      ['POST', '/collaborators', { collaborator: { email: 'x@example.org' } }],
      ['POST', '/scale', { containers: [{ name: 'web', amount: 1 }] }],
      ['POST', '/restart', { scope: [] }],
      ['DELETE', '/caches/deployment', undefined],
    ] as const) {
      const { status, json } = await stage.ask(`/apps/frozen${path}`, {
        method,
        ...(body && { body }),
      });
      expect([path, status, json]).toMatchObject([path, 409, { code: 'frozen' }]);
    }
    expect(await everything('frozen')).toEqual(before);
  });
});
