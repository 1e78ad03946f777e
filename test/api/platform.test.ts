import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import { type Client, clientFromToken } from 'scalingo';
import { create } from 'tar';
import { request, WebSocket } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../src/shared/until.js';
import { type Authority, createAuthority } from '../certificates.js';
import type { Ask } from './asking.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let authority: Authority;
let client: Client;
let files: string;

const server =
  "require('node:http').createServer((_, answer) => answer.end('up')).listen(process.env.PORT, () => console.log('listening'))";

beforeAll(async () => {
  authority = await createAuthority();
  stage = await startStage();
  client = await clientFromToken(stage.token, { apiUrl: stage.url, authApiUrl: stage.url });
  files = join(tmpdir(), `godwit-platform-app-${process.pid}`);
  await mkdir(files);
  await writeFile(
    join(files, 'Procfile'),
    'web: node server.cjs\nworker: echo at work; sleep 600\n',
  );
  await writeFile(join(files, 'server.cjs'), server);
});

afterAll(async () => {
  await stage?.close();
  await rm(files, { recursive: true, force: true });
});

const ask = (path: string, how?: Ask) => stage.ask(path, how);
const anything = z.record(z.string(), z.unknown());
const withId = z.looseObject({ id: z.string() });

/** What is under a key of an answer that must have that status. */
async function the<T>(key: string, as: z.ZodType<T>, status: number, path: string, how?: Ask) {
  const answer = await ask(path, how);
  expect([path, answer.status, answer.status === status ? '' : answer.text]).toEqual([
    path,
    status,
    '',
  ]);
  return as.parse(anything.parse(answer.json)[key]);
}

async function uploaded(): Promise<string> {
  const source = z.object({ upload_url: z.string(), download_url: z.string() });
  const { upload_url, download_url } = await the('source', source, 201, '/sources', {
    method: 'POST',
  });
  const body = Readable.from(create({ gzip: true, cwd: files }, ['.']));
  expect((await request(upload_url, { method: 'PUT', body })).statusCode).toBe(200);
  return download_url;
}

/** Everything the API shows of an app, but for times of change. */
async function everything(app: string): Promise<unknown> {
  const lists = ['', '/variables', '/containers', '/addons', '/domains', '/collaborators'];
  lists.push('/notifiers', '/alerts', '/autoscalers', '/log_drains', '/scm_repo_link');
  return Promise.all(lists.map(async (list) => (await ask(`/apps/${app}${list}`)).text));
}

describe('the published client', () => {
  it('finds what there is to choose from, some of it without a token', async () => {
    const [category] = await client.Addons.listCategories();
    const [provider] = await client.Addons.listProviders(category?.id);
    expect(provider).toMatchObject({ id: 'postgresql', category, hds_available: false });
    expect(provider?.plans[0]).toMatchObject({ name: 'postgresql-sandbox', price: 0 });
    expect(await client.Addons.listProviders('none')).toEqual([]);
    expect(await client.Stacks.list()).toEqual([
      expect.objectContaining({ name: 'host', default: true, deprecated_at: null }),
    ]);
    expect(await client.Containers.availableSizes()).toEqual([
      expect.objectContaining({ name: 'M', hourly_price: 0 }),
    ]);
    const categories = await client.Events.listEventCategories();
    const types = await client.Events.listEventTypes();
    expect(types.every((one) => categories.some(({ id }) => id === one.category_id))).toBe(true);
    expect(await client.NotificationPlatforms.list()).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'webhook', logo_url: '' })]),
    );
    expect((await client.Regions.all()).map(({ name }) => name)).toEqual(['here', 'there']);
    const self = await client.Users.self();
    expect(self).toMatchObject({ username: 'owner', uuid: self.id, suspended_at: null });
    expect(Date.now() - Date.parse(self.created_at ?? '')).toBeLessThan(600_000);
  });

  it('makes, exchanges and removes API tokens', async () => {
    const made = await client.Tokens.create('of the client');
    expect(made).toMatchObject({ name: 'of the client', issued_at: made.created_at });
    expect(await client.Tokens.exchange(made.token ?? '')).toMatch(/^ey/);
    const { token, last_used_at, ...listed } = made;
    expect(await client.Tokens.all()).toEqual(
      expect.arrayContaining([expect.objectContaining(listed)]),
    );
    await client.Tokens.destroy(made.id);
    const none = await ask('/tokens', { body: {} });
    expect([none.status, none.json]).toEqual([422, { errors: { name: [expect.any(String)] } }]);
  });

  it('creates, changes, renames and removes an app', async () => {
    const dry = await client.Apps.create({ name: 'heron', dry_run: true });
    expect(dry).toMatchObject({ name: 'heron', status: 'new' });
    expect(await client.Apps.all()).toEqual([]);
    const app = await client.Apps.create({ name: 'heron' });
    await expect(client.Apps.create({ name: 'heron', dry_run: true })).rejects.toMatchObject({
      status: 422,
      data: { errors: { name: [expect.stringContaining('taken')] } },
    });
    expect(await client.Apps.find('heron')).toEqual(app);
    expect(app).toMatchObject({
      ...{ region: 'here', hds_resource: false, flags: {}, last_deployed_at: null },
      owner: { username: 'owner' },
      stack_id: (await client.Stacks.list())[0]?.id,
    });
    const settings = { force_https: true, sticky_session: true, router_logs: true };
    expect(await client.Apps.update(app.id, settings)).toMatchObject(settings);
    await expect(client.Apps.update(app.id, { stack_id: 'st-none' })).rejects.toMatchObject({
      data: { errors: { stack_id: [expect.stringContaining('(host)')] } },
    });
    await expect(client.Apps.rename(app.id, 'egret', 'egret')).rejects.toMatchObject({
      status: 422,
    });
    expect(await client.Apps.rename(app.id, 'heron', 'egret')).toMatchObject({ name: 'egret' });
    await client.Apps.destroy(app.id, 'egret');
    await expect(client.Apps.find('egret')).rejects.toMatchObject({
      status: 404,
      data: { resource: 'App' },
    });
  });

  it('deploys, scales, restarts and reads logs', async () => {
    const { id } = await client.Apps.create({ name: 'runner' });
    const { id: first } = await client.Deployments.create(id, {
      source_url: await uploaded(),
      git_ref: 'v1',
    });
    const deployment = await until(
      async () => {
        const found = await client.Deployments.find(id, first);
        return found.status === 'success' && found;
      },
      { timeout: 20_000, what: 'the deployment' },
    );
    expect(deployment).toMatchObject({
      ...{ app_id: id, git_ref: 'v1', pusher: { username: 'owner' } },
      ...{ type: 'archive', duration: expect.any(Number), image_size: expect.any(Number) },
    });
    expect(await client.Deployments.logs(id, first)).toMatch(/Process types: web, worker/);
    const printed = await ask(deployment.links.output, { headers: { accept: 'text/plain' } });
    expect(printed.headers['content-type']).toMatch(/^text\/plain/);
    const json = await ask(deployment.links.output, { headers: { accept: 'application/json' } });
    expect(json.json).toEqual({ deployment: { id: first, output: printed.text } });

    const { formation, operation } = await client.Containers.scale(id, [
      { name: 'web', amount: 2, size: 'M' },
    ]);
    expect(formation).toEqual([
      expect.objectContaining({ name: 'web', amount: 2, size: 'M' }),
      expect.objectContaining({ name: 'worker', amount: 0 }),
    ]);
    expect(operation).toMatchObject({ type: 'scale', error: undefined });
    const over = () => operation?.refresh().then(() => operation.status === 'done');
    await until(over, { timeout: 20_000, what: 'scaling' });
    expect(await client.Operations.operation(id, operation?.id ?? '')).toMatchObject({
      status: 'done',
      finished_at: expect.any(String),
    });
    expect(await client.Containers.for(id)).toEqual(formation);
    const before = await client.Containers.processes(id);
    expect(before.map(({ label, state }) => [label, state])).toEqual([
      ['web-1', 'running'],
      ['web-2', 'running'],
    ]);
    expect(before[0]).toMatchObject({ type: 'web', type_index: 1, command: 'node server.cjs' });

    const restart = await client.Containers.restart(id, 'web-2');
    expect(restart.type).toBe('restart');
    const restarted = () => restart.refresh().then(() => restart.status === 'done');
    await until(restarted, { timeout: 20_000, what: 'the restart' });
    const after = await client.Containers.processes(id);
    const startOf = (all: typeof before, index: number) =>
      all.find(({ type_index }) => type_index === index)?.created_at;
    expect(startOf(after, 1)).toBe(startOf(before, 1));
    expect(startOf(after, 2)).not.toBe(startOf(before, 2));

    expect(await client.Apps.find(id)).toMatchObject({
      ...{ status: 'running', last_deployment_id: first, last_deployed_by: 'owner' },
      last_deployed_at: deployment.created_at,
    });
    expect(await client.Logs.for('runner', { count: 10 })).toMatch(/deployment .* ended: success/);
    await client.Deployments.purgeCache(id);
    const { deployments, meta } = await client.Deployments.for(id, { page: 1, per_page: 1 });
    expect(deployments).toEqual([deployment]);
    expect(meta.pagination).toEqual({
      ...{ current_page: 1, prev_page: null, next_page: null, total_pages: 1, total_count: 1 },
    });
  });

  it('sets variables, one or many', async () => {
    const { id } = await client.Apps.create({ name: 'variable' });
    const one = await client.Environment.create(id, { name: 'ONE', value: '1' });
    expect(await client.Environment.update(id, one.id, 'two')).toEqual({ ...one, value: 'two' });
    const many = await client.Environment.bulkUpdate(id, [
      { name: 'LINES', value: 'a\nb\tü' },
      { name: 'SAME', value: '$ONE' },
    ]);
    expect(many.map(({ name }) => name)).toEqual(['LINES', 'SAME']);
    expect(await client.Environment.for(id)).toEqual([
      many[0],
      { ...one, value: 'two' },
      expect.objectContaining({ name: 'SAME', value: '$ONE' }),
    ]);
    const { json } = await ask('/apps/variable/variables?aliases=false');
    expect(json).toMatchObject({ variables: [{}, {}, { name: 'SAME', value: 'two' }] });
    const ids = many.map((variable) => variable.id);
    await expect(client.Environment.bulkDestroy(id, [...ids, 'none'])).rejects.toMatchObject({
      status: 404,
    });
    await client.Environment.bulkDestroy(id, ids);
    await client.Environment.destroy(id, one.id);
    expect(await client.Environment.for(id)).toEqual([]);
  });

  it('adds addons and domains', async () => {
    const { id } = await client.Apps.create({ name: 'addon' });
    const addon = await client.Addons.create(id, {
      addon_provider_id: 'postgresql',
      plan_id: 'postgresql-sandbox',
    });
    expect(addon).toMatchObject({
      ...{ app_id: id, status: 'running', deprovisioned_at: null, hds_resource: false },
      ...{ addon_provider: { name: 'PostgreSQL' }, plan: { disabled: false } },
    });
    expect(Date.parse(addon.provisioned_at)).toBeLessThanOrEqual(Date.now());
    expect(await client.Addons.for(id)).toEqual([addon]);
    expect(await client.Addons.getAddon(id, addon.id)).toEqual(addon);
    const plan_id = 'postgresql-sandbox';
    expect(await client.Addons.update(id, addon.id, { plan_id })).toEqual(addon);
    const other = client.Addons.update(id, addon.id, { plan_id: 'large' });
    await expect(other).rejects.toMatchObject({ status: 422 });
    await client.Addons.destroy(id, addon.id);
    expect(await client.Addons.for(id)).toEqual([]);

    const domain = await client.Domains.create(id, { name: 'www.example.org' });
    expect(domain).toMatchObject({ ssl: false, tlscert: null, letsencrypt: false });
    const second = await client.Domains.create(id, { name: 'example.org' });
    await client.Domains.update(id, domain.id, { canonical: true });
    const canonical = await client.Domains.update(id, second.id, { canonical: true });
    expect(canonical).toEqual({ ...second, canonical: true });
    expect(await client.Domains.for(id)).toEqual([domain, canonical]);
    expect(await client.Domains.show(id, domain.id)).toEqual(domain);
    const refused = client.Domains.update(id, domain.id, { tlscert: 'x', tlskey: 'y' });
    await expect(refused).rejects.toMatchObject({ status: 422 });
    const { certificate: tlscert, key: tlskey } = await authority.issue(['www.example.org']);
    const foreign = (await authority.issue(['www.example.org'])).key;
    const mixed = client.Domains.update(id, domain.id, { tlscert, tlskey: foreign });
    await expect(mixed).rejects.toMatchObject({ status: 422 });
    expect(await client.Domains.update(id, domain.id, { tlscert, tlskey })).toEqual({
      ...domain,
      ...{ ssl: true, ssl_status: 'success', validity: expect.any(String) },
      ...{ tlscert: '/CN=www.example.org', tlskey: 'EC private key - prime256v1' },
    });
    const without = { domain: { tlscert: null, tlskey: null } };
    await ask(`/apps/${id}/domains/${domain.id}`, { method: 'PATCH', body: without });
    await client.Domains.destroy(id, domain.id);
    expect(await client.Domains.for(id)).toEqual([canonical]);
  });

  it('keeps notifiers, alerts, autoscalers and the SCM link', async () => {
    const { id } = await client.Apps.create({ name: 'attached' });
    const platforms = await the(
      'notification_platforms',
      z.array(withId),
      200,
      '/notification_platforms/search?name=webhook',
    );
    const platform_id = platforms[0]?.id ?? '';
    const [type] = await client.Events.listEventTypes();
    const type_data = { webhook_url: 'https://example.org/hook' };
    const selected_event_ids = [type?.id ?? ''];
    const notifier = await client.Notifiers.create(id, {
      ...{ platform_id, name: 'Tell', type_data, selected_event_ids },
    });
    expect(notifier).toMatchObject({
      ...{ app: 'attached', type: 'webhook', active: true, selected_event_ids, type_data },
    });
    const quiet = await client.Notifiers.update(id, notifier.id, { name: 'Tell', active: false });
    expect(quiet).toMatchObject({ active: false, selected_event_ids, type_data });
    expect(await client.Notifiers.for(id)).toEqual([quiet]);
    expect(await client.Notifiers.get(id, notifier.id)).toEqual(quiet);

    const alert = await client.Alerts.create(id, {
      ...{ container_type: 'web', metric: 'cpu', limit: 0.8, notifiers: [notifier.id] },
      ...{ send_when_below: null, duration_before_trigger: 60e9 },
    });
    expect(alert).toMatchObject({ limit: 0.8, duration_before_trigger: 60e9, disabled: false });
    for (const [remind_every, shown] of [
      [3_750, '1h2m30s'],
      [60, '1m0s'],
      [45, '45s'],
      [0, ''],
      ['5m0s', '5m0s'],
    ] as const) {
      const body = { alert: { remind_every } };
      const path = `/apps/${id}/alerts/${alert.id}`;
      const alertShape = z.looseObject({ remind_every: z.string() });
      const set = await the('alert', alertShape, 200, path, { method: 'PATCH', body });
      expect(set.remind_every).toBe(shown);
    }
    const changed = await client.Alerts.update(id, alert.id, { limit: 0.5, disabled: true });
    expect(changed).toMatchObject({ limit: 0.5, disabled: true, metric: 'cpu' });
    expect(await client.Alerts.find(id, alert.id)).toEqual(changed);
    await client.Notifiers.destroy(id, notifier.id);
    expect(await client.Alerts.for(id)).toEqual([{ ...changed, notifiers: [] }]);
    await client.Alerts.destroy(id, alert.id);

    const autoscaler = await client.Autoscalers.create(id, {
      ...{ container_type: 'web', min_containers: 2, max_containers: 4 },
      ...{ metric: 'rpm_per_container', target: 150.5 },
    });
    const more = await client.Autoscalers.update(id, autoscaler.id, { max_containers: 6 });
    expect(more).toMatchObject({ min_containers: 2, max_containers: 6, target: 150.5 });
    const least = client.Autoscalers.update(id, autoscaler.id, { min_containers: 7 });
    await expect(least).rejects.toMatchObject({ status: 422 });
    expect(await client.Autoscalers.for(id)).toEqual([more]);
    expect(await client.Autoscalers.show(id, autoscaler.id)).toEqual(more);
    await client.Autoscalers.destroy(id, autoscaler.id);
    expect(await client.Autoscalers.for(id)).toEqual([]);

    const source = 'https://github.com/birds/heron.git';
    const link = await client.SCMRepoLinks.create(id, { source, branch: 'main' });
    expect(link).toMatchObject({
      ...{ owner: 'birds', repo: 'heron', scm_type: 'github', branch: 'main' },
      ...{ linker: { username: 'owner' }, auto_deploy_enabled: false },
    });
    const deploys = await client.SCMRepoLinks.update(id, { auto_deploy_enabled: true });
    expect(deploys).toMatchObject({ auto_deploy_enabled: true, branch: 'main' });
    expect(await client.SCMRepoLinks.find(id)).toEqual(deploys);
    expect((await ask('/scm_repo_links')).json).toMatchObject({
      scm_repo_links: [deploys],
      meta: { pagination: { total_count: 1 } },
    });
    await client.SCMRepoLinks.destroy(id);
    await expect(client.SCMRepoLinks.find(id)).rejects.toMatchObject({ status: 404 });
  });

  it('invites collaborators, who accept, and hands an app over', async () => {
    const { id } = await client.Apps.create({ name: 'shared' });
    const invitation = await client.Collaborators.invite(id, 'eve@example.org');
    expect(invitation).toMatchObject({ status: 'pending', username: 'n/a', is_limited: false });
    const early = client.Apps.transfer(id, 'shared', 'eve@example.org');
    await expect(early).rejects.toMatchObject({ status: 422 });
    const as = await stage.join('eve');
    const eve = await clientFromToken(as, { apiUrl: stage.url, authApiUrl: stage.url });
    await expect(eve.Apps.find(id)).rejects.toMatchObject({ status: 404 });
    const token = new URL(invitation.invitation_link).searchParams.get('token') ?? '';
    expect(await eve.Collaborators.inviteAccept(token)).toMatchObject({ id, name: 'shared' });
    await expect(eve.Collaborators.inviteAccept(token)).rejects.toMatchObject({ status: 404 });
    const self = await eve.Users.self();
    const [known] = await client.Collaborators.for(id);
    expect(known).toMatchObject({ id: invitation.id, status: 'accepted', user_id: self.id });
    expect(await client.Collaborators.all({})).toEqual({
      collaborators: [{ ...known, app_name: 'shared' }],
    });

    const limited = await client.Collaborators.update(id, invitation.id, { is_limited: true });
    expect(limited).toMatchObject({ is_limited: true });
    await expect(eve.Environment.for(id)).rejects.toMatchObject({ status: 403 });
    await expect(eve.Apps.update(id, { force_https: true })).rejects.toMatchObject({ status: 403 });
    expect(await eve.Apps.find(id)).toMatchObject({ id });

    const slip = client.Apps.transfer(id, 'other', 'eve@example.org');
    await expect(slip).rejects.toMatchObject({
      data: { errors: { current_name: [expect.any(String)] } },
    });
    const moved = await client.Apps.transfer(id, 'shared', 'eve@example.org');
    expect(moved).toMatchObject({ owner: { username: 'eve' } });
    const [former] = await eve.Collaborators.for(id);
    expect(former).toMatchObject({ username: 'owner', status: 'accepted' });
    await expect(client.Apps.destroy(id, 'shared')).rejects.toMatchObject({ status: 403 });
    await eve.Collaborators.destroy(id, former?.id ?? '');
    await expect(client.Apps.find(id)).rejects.toMatchObject({ status: 404 });
  });
});

describe('as documented', () => {
  it.each([
    [{ type: 'appsignal', token: 't', host: 'h.org', port: 1 }, 'appsignal://:t@h.org:1'],
    [{ type: 'datadog', token: 't', drain_region: 'eu-west-2' }, 'datadog://t?region=eu-west-2'],
    [{ type: 'ovh-graylog', token: 't', host: 'h.org' }, 'ovh://:t@h.org:6514'],
    [{ type: 'logentries', token: 'a b' }, 'logentries://a%20b'],
    [{ type: 'papertrail', host: 'h.org', port: '1' }, 'papertrail://h.org:1'],
    [{ type: 'syslog', token: 't', host: 'h.org', port: '1' }, 'syslog://:t@h.org:1'],
    [{ type: 'elk', url: 'https://u:p@h.org/x' }, 'https://u:p@h.org/x'],
  ])('a log drain %j has its URL, by which it is removed', async (drain, url) => {
    await ask('/apps', { body: { app: { name: 'drained' } } });
    const shape = z.object({ app_id: z.string(), url: z.string() });
    const made = await the('drain', shape, 201, '/apps/drained/log_drains', { body: { drain } });
    expect(made.url).toBe(url);
    const again = await ask('/apps/drained/log_drains', { body: { drain } });
    expect(again.status).toBe(422);
    const drains = z.array(shape);
    expect(await the('drains', drains, 200, '/apps/drained/log_drains')).toEqual([made]);
    const removal = { method: 'DELETE' as const, body: { url } };
    expect((await ask('/apps/drained/log_drains', removal)).status).toBe(204);
    expect((await ask('/apps/drained/log_drains', removal)).status).toBe(404);
  });

  it('an addon has log drains of its own', async () => {
    await ask('/apps', { body: { app: { name: 'addon-drained' } } });
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    const { id } = await the('addon', withId, 201, '/apps/addon-drained/addons', {
      body: { addon },
    });
    const drain = { type: 'syslog', host: 'h.org', port: 1 };
    const path = `/apps/addon-drained/addons/${id}/log_drains`;
    const { url } = await the('drain', z.looseObject({ url: z.string() }), 201, path, {
      body: { drain },
    });
    expect((await ask('/apps/addon-drained/log_drains')).json).toEqual({ drains: [] });
    expect((await ask(path)).json).toMatchObject({ drains: [{ url }] });
    expect((await ask(path, { method: 'DELETE', body: { url } })).status).toBe(204);
    expect((await ask(path.replace(id, 'none'))).json).toMatchObject({ resource: 'Addon' });
  });

  it('what is added at once is all there, in both kinds of list', async () => {
    await ask('/apps', { body: { app: { name: 'racing' } } });
    const numbers = Array.from({ length: 12 }, (_, index) => index);
    await Promise.all(
      numbers.map(async (number) => {
        const drain = { type: 'papertrail', host: 'h.org', port: number + 1 };
        expect((await ask('/apps/racing/log_drains', { body: { drain } })).status).toBe(201);
        const collaborator = { email: `${number}@example.org` };
        const path = '/apps/racing/collaborators';
        expect((await ask(path, { body: { collaborator } })).status).toBe(201);
      }),
    );
    const list = z.array(anything).length(12);
    await the('drains', list, 200, '/apps/racing/log_drains');
    await the('collaborators', list, 200, '/apps/racing/collaborators');
  });

  it('scaling and restarting answer 202 with the address of an operation', async () => {
    await ask('/apps', { body: { app: { name: 'operated' } } });
    const scale = await ask('/apps/operated/scale', {
      body: { containers: [{ name: 'web', amount: 1 }] },
    });
    expect(scale.status).toBe(202);
    const restart = await ask('/apps/operated/restart', { body: { scope: ['web', 'web-1'] } });
    expect([restart.status, restart.text]).toEqual([202, '']);
    for (const { headers } of [scale, restart]) {
      const { status, json } = await ask(String(headers['location']));
      expect([status, json]).toMatchObject([200, { operation: { app_id: expect.any(String) } }]);
    }
    const all = await ask('/apps/operated/restart', { method: 'POST' });
    expect([all.status, all.text]).toEqual([202, '']);
    for (const id of ['none', '0'.repeat(24)]) {
      expect((await ask(`/apps/operated/operations/${id}`)).json).toMatchObject({
        resource: 'Operation',
      });
    }
  });

  it('the notifier of the documented request is called notifiers, its events by name', async () => {
    await ask('/apps', { body: { app: { name: 'notified' } } });
    const platforms = await the(
      'notification_platforms',
      z.array(withId),
      200,
      '/notification_platforms',
    );
    const platform_id = platforms[0]?.id;
    const type_data = { webhook_url: 'https://example.org/hook' };
    const notifiers = { platform_id, name: 'x', type_data, selected_events: ['app_deployed'] };
    const path = '/apps/notified/notifiers';
    const made = await the('notifier', withId, 201, path, { body: { notifiers } });
    expect(made['selected_event_ids']).toHaveLength(1);
    const shown = await ask(`/notification_platforms/${platform_id}`);
    expect(shown.json).toMatchObject({ notification_platform: { id: platform_id } });
  });

  it('pages have neighbours, and no page is too far', async () => {
    const path = '/apps/runner/deployments';
    const source_url = await uploaded();
    const body = { deployment: { source_url, git_ref: 'v2' } };
    const { id } = await the('deployment', withId, 201, path, { body });
    await until(
      async () => {
        const found = await the('deployment', withId, 200, `${path}/${id}`);
        return found['status'] !== 'building' && found;
      },
      { timeout: 20_000, what: 'the deployment' },
    );
    expect((await ask(`${path}?page=1&per_page=1`)).json).toMatchObject({
      deployments: [{ git_ref: 'v2', previous_git_ref: 'v1' }],
      meta: { pagination: { next_page: 2, total_pages: 2, total_count: 2 } },
    });
    expect((await ask(`${path}?page=9&per_page=1`)).json).toMatchObject({
      deployments: [],
      meta: { pagination: { current_page: 9, prev_page: 8, next_page: null } },
    });
    for (const query of ['page=0', 'page=x', 'per_page=101']) {
      expect((await ask(`${path}?${query}`)).status).toBe(422);
    }
  });

  it('a deployment that fails ends in build-error', async () => {
    await writeFile(join(files, 'package.json'), '{ this is no JSON');
    const path = '/apps/runner/deployments';
    const source_url = await uploaded();
    const { id } = await the('deployment', withId, 201, path, {
      body: { deployment: { source_url } },
    });
    await until(
      async () => {
        const found = await the('deployment', withId, 200, `${path}/${id}`);
        return found['status'] === 'build-error';
      },
      { timeout: 20_000, what: 'the deployment' },
    );
    await rm(join(files, 'package.json'));
  });

  it('logs can be counted and filtered', async () => {
    const { logs_url } = z
      .object({ logs_url: z.string() })
      .parse((await ask('/apps/runner/logs')).json);
    const lines = async (query: string) => {
      const { text } = await ask(`${logs_url}&${query}`);
      return text.split('\n').slice(0, -1);
    };
    expect(await lines('n=1')).toHaveLength(1);
    expect(await lines('n=0')).toEqual([]);
    expect(await lines('filter=nobody')).toEqual([]);
    const own = await lines('filter=godwit|worker&n=2');
    expect(own.length).toBeGreaterThan(0);
    expect(own.every((line) => line.includes(' [godwit] '))).toBe(true);
    expect((await ask(`${logs_url}&filter=(a*)*`)).status).toBe(422);
  });

  it('logs can be followed, by server-sent events and by WebSocket', async () => {
    const address = async (app: string) =>
      z.object({ logs_url: z.string() }).parse((await ask(`/apps/${app}/logs`)).json).logs_url;
    const url = `${await address('runner')}&n=0&stream=true`;
    const event = z.object({ name: z.string(), event: z.string(), log: z.string().optional() });
    const heard: Record<'sse' | 'ws' | 'worker', string[]> = { sse: [], ws: [], worker: [] };
    const take = (into: string[], data: string) => {
      const { name, log } = event.parse(JSON.parse(data));
      if (name === 'log' && log !== undefined) into.push(log);
    };
    const streams = await Promise.all(
      (['sse', 'worker'] as const).map(async (kind) => {
        const answer = await request(kind === 'sse' ? url : `${url}&filter=worker`);
        expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
        const parser = createParser({ onEvent: ({ data }) => take(heard[kind], data) });
        const decoder = new TextDecoder();
        answer.body.on('data', (chunk: Buffer) =>
          parser.feed(decoder.decode(chunk, { stream: true })),
        );
        answer.body.on('error', () => undefined); // it is ended below
        return answer.body;
      }),
    );
    const socket = new WebSocket(url.replace('http', 'ws'));
    socket.addEventListener('message', ({ data }) => take(heard.ws, String(data)));
    await once(socket, 'open');
    const containers = [
      { name: 'web', amount: 1 },
      { name: 'worker', amount: 1 },
    ];
    expect((await ask('/apps/runner/scale', { body: { containers } })).status).toBe(202);
    expect((await ask('/apps/runner/restart', { method: 'POST' })).status).toBe(202);
    const hasHeard = (lines: string[], line: string) => lines.some((one) => one.endsWith(line));
    await until(
      () =>
        hasHeard(heard.sse, '[web-1] listening') &&
        hasHeard(heard.ws, '[web-1] listening') &&
        hasHeard(heard.worker, '[worker-1] at work'),
      { timeout: 20_000, what: 'the lines of the restart' },
    );
    // Whoever came later may have missed lines, but none of those after the first that it heard.
    const sse = heard.sse.slice(heard.sse.indexOf(heard.ws[0] ?? ''));
    const common = Math.min(sse.length, heard.ws.length);
    expect(heard.ws.slice(0, common)).toEqual(sse.slice(0, common));
    expect(heard.worker.every((line) => line.includes('[worker-'))).toBe(true);
    for (const stream of streams) stream.destroy();
    socket.close();
    await once(socket, 'close');

    /** How a request is answered that offers another protocol. */
    const offered = async (protocol: string, at: string) => {
      const headers = {
        ...{ connection: 'Upgrade', upgrade: protocol },
        ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==' },
      };
      const asked = http.get(at, { headers, agent: false });
      return Promise.race([
        once(asked, 'response').then(([{ statusCode }]) => statusCode),
        once(asked, 'upgrade').then(([, upgraded]) => upgraded.destroy() && 101),
      ]);
    };
    expect(await offered('websocket', url)).toBe(101);
    expect(await offered('websocket', url.replace(/token=[^&]*/, 'token=x'))).toBe(401);
    expect(await offered('websocket', `${stage.url}/v1/apps`)).toBe(401);
    expect(await offered('h2c', `${stage.url}/v1/event_types`)).toBe(200);
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
    await ask('/apps', { body: { app: { name: 'steady' } } });
    await stage.join('bob');
    await ask('/apps/steady/collaborators', {
      body: { collaborator: { email: 'bob@example.org' } },
    });
    const before = await everything('steady');
    const { status, json } = await ask(`/apps/steady${path}`, {
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
    const app = await the('app', withId, 201, '/apps', { body: { app: { name: 'frozen' } } });
    const migrations = `/apps/${app.id}/region_migrations`;
    const created = await ask(migrations, { body: { migration: { destination: 'there' } } });
    const migration = `${migrations}/${withId.parse(created.json).id}`;
    const reaches = (wanted: string) =>
      until(async () => withId.parse((await ask(migration)).json)['status'] === wanted, {
        ...{ timeout: 20_000, what: `${wanted}, at last` },
      });
    await reaches('preflight-success');
    await ask(`${migration}/run`, { body: { step: 'prepare' } });
    await reaches('prepared');
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
      const { status, json } = await ask(`/apps/frozen${path}`, {
        method,
        ...(body && { body }),
      });
      expect([path, status, json]).toMatchObject([path, 409, { code: 'frozen' }]);
    }
    expect(await everything('frozen')).toEqual(before);
  });
});
