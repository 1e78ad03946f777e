import { type Client, clientFromToken } from 'scalingo';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../../../src/shared/until.js';
import { type Authority, createAuthority } from '../../certificates.js';
import { the, upload } from '../migrating.js';
import { type Stage, startStage } from '../platform-stage.js';
import { upAndAtWork } from './up-and-at-work.js';

let stage: Stage;
let authority: Authority;
let client: Client;

beforeAll(async () => {
  authority = await createAuthority();
  stage = await startStage();
  client = await clientFromToken(stage.token, { apiUrl: stage.url, authApiUrl: stage.url });
});
afterAll(() => stage?.close());

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
    const none = await stage.ask('/tokens', { body: {} });
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
      source_url: await upload(stage, upAndAtWork),
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
    const printed = await stage.ask(deployment.links.output, { headers: { accept: 'text/plain' } });
    expect(printed.headers['content-type']).toMatch(/^text\/plain/);
    const json = await stage.ask(deployment.links.output, {
      headers: { accept: 'application/json' },
    });
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
    const { json } = await stage.ask('/apps/variable/variables?aliases=false');
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
    await stage.ask(`/apps/${id}/domains/${domain.id}`, { method: 'PATCH', body: without });
    await client.Domains.destroy(id, domain.id);
    expect(await client.Domains.for(id)).toEqual([canonical]);
  });

  it('keeps notifiers, alerts, autoscalers and the SCM link', async () => {
    const { id } = await client.Apps.create({ name: 'attached' });
    const platforms = await the(
      stage,
      'notification_platforms',
      z.array(z.object({ id: z.string() })),
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
      const set = await the(stage, 'alert', alertShape, 200, path, { method: 'PATCH', body });
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
    expect((await stage.ask('/scm_repo_links')).json).toMatchObject({
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
