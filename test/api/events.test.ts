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
