import { expect } from 'vitest';
import { z } from 'zod';
import type { Registry } from '../../src/region/registry.js';
import { until } from '../../src/shared/until.js';
import { createAuthority } from '../certificates.js';
import type { Asks } from './asking.js';
import { createApp, deploy } from './migrating.js';

/** Where an app can be made, in a region named "here". */
interface Hosts extends Asks {
  readonly registry: Registry;
  join(username: string): Promise<string>;
}

const withId = z.object({ id: z.string() });
const server = `
const { createServer } = require('node:http');
createServer((_, answer) => answer.end(process.env.GREETING)).listen(process.env.PORT);
`;

/** An app that has something of everything. @returns its id */
export async function createWholeApp(stage: Hosts, name: string, { database = true } = {}) {
  const app = await createApp(stage, name);
  const at = `/apps/${app}`;
  const made = async (path: string, body: object, method: 'POST' | 'PATCH' = 'POST') => {
    const answer = await stage.ask(`${at}${path}`, { method, body });
    expect(answer.status, `${path}: ${answer.text}`).toBeLessThan(300);
    return answer.json;
  };
  if (database) {
    const addon = { addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' };
    const { id } = z.object({ addon: withId }).parse(await made('/addons', { addon })).addon;
    await made(`/addons/${id}/log_drains`, { drain: { type: 'elk', url: 'https://elk.test/db' } });
  }
  await made('', { app: { force_https: true, sticky_session: true, router_logs: true } }, 'PATCH');
  const variables = Array.from({ length: 40 }, (_, at) => ({
    name: `VARIABLE_${at}`,
    value: `${at}: line one\nligne deux, naïve\n🐦\t"quoted" \\ $HOME`.repeat((at % 3) + 1),
  }));
  const url = await addressOf(stage, app);
  variables.push({ name: 'GREETING', value: 'good day' });
  if (url) variables.push({ name: 'REPORTS_URL', value: `${url}?application_name=reports` });
  variables.push({ name: 'ALIAS_URL', value: '$SCALINGO_POSTGRESQL_URL' });
  expect((await stage.ask(`${at}/variables`, { method: 'PUT', body: { variables } })).status).toBe(
    200,
  );

  const authority = await createAuthority();
  const www = await authority.issue([`www.${name}.test`]);
  const bare = await authority.issue([`${name}.test`, `*.${name}.test`]);
  for (const domain of [
    { name: `www.${name}.test`, canonical: true, tlscert: www.certificate, tlskey: www.key },
    { name: `${name}.test`, tlscert: bare.certificate + authority.certificate, tlskey: bare.key },
    { name: `plain.${name}.test` },
  ]) {
    await made('/domains', { domain });
  }

  const people = z.object({ collaborator: z.object({ invitation_link: z.string() }) });
  for (const who of ['ada', 'eve', 'bob']) {
    const email = `${who}-${name}@example.org`;
    const collaborator = { email, is_limited: who === 'eve' };
    const invited = people.parse(await made('/collaborators', { collaborator })).collaborator;
    if (who === 'bob') continue; // has not accepted
    const token = new URL(invited.invitation_link).searchParams.get('token');
    const as = await stage.join(`${who}-${name}`);
    const accepted = await stage.ask(`/apps/collaboration?token=${token}`, { as });
    expect(accepted.status).toBe(200);
  }

  const { notification_platforms } = z
    .object({ notification_platforms: z.array(withId) })
    .parse((await stage.ask('/notification_platforms/search?name=webhook')).json);
  const { event_types } = z
    .object({ event_types: z.array(withId) })
    .parse((await stage.ask('/event_types')).json);
  const platform_id = notification_platforms[0]?.id;
  const selected_event_ids = event_types.slice(0, 3).map(({ id }) => id);
  const notifiers = [];
  for (const notifier of [
    { name: 'quiet', active: false, send_all_events: true },
    { name: 'choosy', active: false, selected_event_ids },
  ]) {
    const type_data = { webhook_url: `https://hooks.test/${notifier.name}?secret=1` };
    const body = { notifier: { platform_id, type_data, ...notifier } };
    notifiers.push(
      z.object({ notifier: withId }).parse(await made('/notifiers', body)).notifier.id,
    );
  }
  for (const [container_type, metric, limit] of [
    ['web', 'cpu', 0.8],
    ['web', 'memory', 0.9],
    ['worker', 'swap', 0.1],
  ]) {
    await made('/alerts', { alert: { container_type, metric, limit, notifiers } });
  }
  for (const host of ['one', 'two']) {
    await made('/log_drains', { drain: { type: 'elk', url: `https://${host}.test:9200/logs` } });
  }
  const scaling = { min_containers: 1, max_containers: 3, metric: 'cpu', target: 0.7 };
  await made('/autoscalers', { autoscaler: { container_type: 'web', ...scaling } });
  const link = { source: `https://github.com/birds/${name}.git`, branch: 'main' };
  await made('/scm_repo_link', { scm_repo_link: { ...link, auto_deploy_enabled: true } });

  await deploy(stage, app, {
    Procfile: 'web: node server.cjs\nworker: sleep 600\n',
    'server.cjs': server,
  });
  const containers = [
    { name: 'web', amount: 2 },
    { name: 'worker', amount: 1 },
  ];
  await made('/scale', { containers });
  await until(
    async () => (await stage.registry.get('here')?.health({ app }))?.state === 'healthy',
    { timeout: 20_000, what: 'the app to run' },
  );
  return app;
}

async function addressOf(stage: Hosts, app: string): Promise<string | undefined> {
  const found = await stage.registry.get('here')?.findApp({ ref: app });
  return found?.variables.find(({ name }) => name === 'DATABASE_URL')?.value;
}
