import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { compactVerify, createLocalJWKSet } from 'jose';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { listeningPort } from '../../src/shared/listening-port.js';
import { until } from '../../src/shared/until.js';
import { type Stage, startStage } from './platform-stage.js';

let stage: Stage;
let receiver: Server;
/** Listens, and answers nothing. */
let silent: Server;
/** What the webhook was sent: requests with their signatures. It fails the first of them. */
const received: { text: string; signature: string }[] = [];
let failures = 1;

beforeAll(async () => {
  stage = await startStage();
  receiver = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece;
    if (failures > 0) {
      failures -= 1;
      response.writeHead(500).end();
      return;
    }
    received.push({ text, signature: String(request.headers['godwit-signature']) });
    response.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
});
afterAll(async () => {
  receiver.close();
  silent.closeAllConnections();
  silent.close();
  await stage.close();
});

const events = z.object({
  events: z.array(
    z.object({
      id: z.string(),
      type: z.string(),
      user: z.object({ username: z.string() }),
      type_data: z.record(z.string(), z.unknown()),
    }),
  ),
  meta: z.object({ pagination: z.looseObject({ total_count: z.number() }) }),
});

async function listed(path: string, as?: string) {
  const { status, json } = await stage.ask(path, as === undefined ? {} : { as });
  expect(status).toBe(200);
  return events.parse(json);
}

it('tells what happened, newest first, page by page, and no secret', async () => {
  await stage.ask('/apps', { body: { app: { name: 'plover' } } });
  const variable = { name: 'KEY', value: 'very-secret' };
  await stage.ask('/apps/plover/variables', { body: { variable } });
  await stage.ask('/apps/plover/domains', { body: { domain: { name: 'plover.example.org' } } });
  await stage.ask('/apps/plover/rename', {
    body: { current_name: 'plover', new_name: 'dotterel' },
  });
  const { events, meta } = await listed('/apps/dotterel/events');
  expect(events.map(({ type }) => type)).toEqual([
    'rename_app',
    'new_domain',
    'new_variable',
    'new_app',
  ]);
  expect(events[0]).toMatchObject({
    user: { username: 'owner' },
    type_data: { old_name: 'plover', new_name: 'dotterel' },
  });
  expect(JSON.stringify(events)).not.toContain('very-secret');
  expect(meta.pagination.total_count).toBe(4);
  const second = await listed('/apps/dotterel/events?page=2&per_page=3');
  expect(second.events.map(({ type }) => type)).toEqual(['new_app']);
  expect((await listed('/apps/dotterel/events?from=1')).events).toHaveLength(4);
  expect((await stage.ask('/apps/dotterel/events?from=100')).status).toBe(422);

  const stranger = await stage.join('stranger');
  expect((await stage.ask('/apps/dotterel/events', { as: stranger })).status).toBe(404);
  expect((await listed('/events', stranger)).events).toEqual([]);
  expect((await listed('/events')).events.map(({ type }) => type)).toContain('rename_app');
});

it('names repositories, collaborators and log drains as documented, and no secret', async () => {
  await stage.ask('/apps', { body: { app: { name: 'avocet' } } });
  const source = 'https://github.com/birds/avocet';
  const link = { body: { scm_repo_link: { source } } };
  expect((await stage.ask('/apps/avocet/scm_repo_link', link)).status).toBe(201);
  await stage.ask('/apps/avocet/scm_repo_link', { method: 'DELETE' });
  await stage.join('finch');
  await stage.ask('/apps/avocet/collaborators', {
    body: { collaborator: { email: 'finch@example.org' } },
  });
  const invited = await stage.ask('/apps/avocet/collaborators', {
    body: { collaborator: { email: 'guest@example.org' } },
  });
  const { invitation_link } = z
    .object({ collaborator: z.object({ invitation_link: z.url() }) })
    .parse(invited.json).collaborator;
  const guest = await stage.join('guest');
  const accept = `/apps/collaboration?token=${new URL(invitation_link).searchParams.get('token')}`;
  expect((await stage.ask(accept, { as: guest })).status).toBe(200);
  for (const [drain, shown] of [
    [
      { type: 'syslog', token: 'shhh/@:?#%é', host: 'logs.example.org', port: 514 },
      'syslog://logs.example.org:514',
    ],
    [{ type: 'datadog', token: 'shhh', drain_region: 'eu' }, 'datadog://'],
    [{ type: 'logentries', token: 'shhh 🐦/..' }, 'logentries://'],
    [
      { type: 'elk', url: 'https://u:shhh@elk.example.org:9200/shhh?t=shhh' },
      'https://elk.example.org:9200',
    ],
  ] as const) {
    const added = await stage.ask('/apps/avocet/log_drains', { body: { drain } });
    expect(added.status, added.text).toBe(201);
    const { url } = z.object({ drain: z.object({ url: z.string() }) }).parse(added.json).drain;
    const gone = await stage.ask('/apps/avocet/log_drains', { method: 'DELETE', body: { url } });
    expect(gone.status).toBe(204);
    const [last, before] = (await listed('/apps/avocet/events?per_page=2')).events;
    expect([last, before]).toEqual([
      expect.objectContaining({ type: 'delete_log_drain', type_data: { url: shown } }),
      expect.objectContaining({ type: 'new_log_drain', type_data: { url: shown } }),
    ]);
  }
  const { events } = await listed('/apps/avocet/events?from=1');
  expect(JSON.stringify(events)).not.toContain('shhh');
  const dataOf = (wanted: string) =>
    events.filter(({ type }) => type === wanted).map(({ type_data }) => type_data);
  const repository = { repo_name: 'birds/avocet', source };
  expect(dataOf('link_scm')).toEqual([{ ...repository, linker_username: 'owner' }]);
  expect(dataOf('unlink_scm')).toEqual([{ ...repository, unlinker_username: 'owner' }]);
  const finch = { email: 'finch@example.org', id: expect.any(String), username: 'finch' };
  expect(dataOf('new_collaborator')).toEqual([
    { collaborator: { email: 'guest@example.org' } },
    { collaborator: finch },
  ]);
  const inviter = { username: 'owner', email: 'owner@godwit.localhost' };
  expect(dataOf('accept_collaborator')).toEqual([
    { collaborator: expect.objectContaining({ username: 'guest', inviter }) },
  ]);
});

it('sends the begin and the end of a migration to webhooks, signed, again when they fail', async () => {
  await stage.ask('/apps', { body: { app: { name: 'curlew' } } });
  const platforms = z
    .object({ notification_platforms: z.array(z.object({ id: z.string(), name: z.string() })) })
    .parse((await stage.ask('/notification_platforms')).json).notification_platforms;
  const notifierFor = (server: Server) => ({
    platform_id: platforms.find(({ name }) => name === 'webhook')?.id,
    name: 'hook',
    send_all_events: true,
    type_data: { webhook_url: `http://127.0.0.1:${listeningPort(server)}/hook` },
  });
  // Nobody waits for one that does not answer.
  await stage.ask('/apps/curlew/notifiers', { body: { notifier: notifierFor(silent) } });
  const notifier = notifierFor(receiver);
  const added = await stage.ask('/apps/curlew/notifiers', { body: { notifier } });
  expect(added.status).toBe(201);
  const hook = z.object({ notifier: z.object({ id: z.string() }) }).parse(added.json).notifier;
  const trial = `/apps/curlew/notifiers/${hook.id}/test`;
  expect((await stage.ask(trial, { method: 'POST' })).json).toEqual({
    errors: { webhook_url: [expect.stringContaining('answered 500')] },
  });
  expect((await stage.ask(trial, { method: 'POST' })).status).toBe(204);
  expect(JSON.parse(received.shift()?.text ?? '')).toMatchObject({ type: 'test' });
  failures = 1;
  const created = await stage.ask('/apps/curlew/region_migrations', {
    body: { migration: { destination: 'there' } },
  });
  const { id } = z.object({ id: z.string() }).parse(created.json);
  await stage.ask(`/apps/curlew/region_migrations/${id}/run`, { body: { step: 'abort' } });
  await until(() => received.length === 2, { timeout: 30_000, what: 'the webhook to be called' });
  const told = received.map(({ text }) =>
    z
      .looseObject({ type: z.string(), type_data: z.record(z.string(), z.unknown()) })
      .parse(JSON.parse(text)),
  );
  const byType = new Map(told.map((event) => [event.type, event]));
  expect(byType.get('start_region_migration')?.type_data).toEqual({
    migration_id: id,
    source: 'here',
    destination: 'there',
    dst_app_name: 'curlew',
  });
  expect(byType.get('end_region_migration')?.type_data).toMatchObject({
    migration_id: id,
    status: 'aborted',
  });
  const { json } = await stage.ask(`${stage.url}/.well-known/jwks.json`);
  const keys = createLocalJWKSet(
    z.object({ keys: z.array(z.looseObject({ kty: z.string() })) }).parse(json),
  );
  for (const { text, signature } of received) {
    const [header, , proof] = signature.split('.');
    const whole = `${header}.${Buffer.from(text).toString('base64url')}.${proof}`;
    await compactVerify(whole, keys);
    await expect(compactVerify(whole.replace('.ey', '.eyA'), keys)).rejects.toThrow();
  }
  const { events } = await listed('/apps/curlew/events');
  expect(events.map(({ type }) => type)).toEqual([
    'end_region_migration',
    'start_region_migration',
    'new_notifier',
    'new_notifier',
    'new_app',
  ]);
});
