import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Notifier } from '../../region/attachments.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, fullAppOf, noteEvent } from '../context.js';
import { eventTypes } from './event-types.js';
import { notificationPlatforms } from './notification-platforms.js';

const tags = ['Notifiers'];
const ofApp = z.object({ app: z.string() });
const ofNotifier = ofApp.extend({ id: z.string() });
const typeData = z.record(z.string(), z.unknown());
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    app: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    name: z.string(),
    active: z.boolean(),
    type: z.string(),
    platform_id: z.string(),
    send_all_events: z.boolean(),
    send_all_alerts: z.boolean(),
    selected_event_ids: z.array(z.string()),
    type_data: typeData,
  })
  .meta({
    examples: [
      {
        id: 'no-824fd8bb-0efe-4b7b-9605-1b98110abeef',
        app_id: '54100930736f7563d5030000',
        app: 'heron',
        created_at: '2026-01-01T11:46:42.077Z',
        updated_at: '2026-01-01T11:46:42.077Z',
        name: 'Tell the team',
        active: true,
        type: 'webhook',
        platform_id: '5982f145d48c3600273ef08a',
        send_all_events: false,
        send_all_alerts: false,
        selected_event_ids: ['5982f139d48c360021b1eb4b'],
        type_data: { webhook_url: 'https://example.org/hooks/heron' },
      },
    ],
  });
const one = z.object({ notifier: shape });
const changes = z.object({
  name: z.string().min(1).max(200).optional(),
  active: z.boolean().optional(),
  send_all_events: z.boolean().optional(),
  send_all_alerts: z.boolean().optional(),
  selected_event_ids: z.array(z.string()).max(200).optional(),
  selected_events: z.array(z.string()).max(200).optional().describe('Names; ids are better'),
  type_data: typeData.optional(),
});
type Changes = z.infer<typeof changes>;
const creation = changes.extend({ name: z.string().min(1).max(200), platform_id: z.string() });

const body = z.object({
  notifier: creation.optional(),
  notifiers: creation.optional().describe('The same, as the documented example calls it'),
});

const present = (app: App, it: Notifier): z.infer<typeof shape> => ({
  id: it.id,
  app_id: app.id,
  app: app.name,
  created_at: it.createdAt,
  updated_at: it.updatedAt,
  name: it.name,
  active: it.active,
  type: it.type,
  platform_id: it.platform,
  send_all_events: it.sendAllEvents,
  send_all_alerts: it.sendAllAlerts,
  selected_event_ids: it.selectedEvents,
  type_data: it.typeData,
});

/** Whom to tell of what happens to an application. */
export function notifierRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/notifiers',
      {
        schema: {
          tags,
          summary: 'List the notifiers of an application',
          params: ofApp,
          response: { 200: z.object({ notifiers: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await fullAppOf(context, request);
        return { notifiers: app.notifiers.map((it) => present(app, it)) };
      },
    );

    api.get(
      '/apps/:app/notifiers/:id',
      { schema: { tags, summary: 'Show a notifier', params: ofNotifier, response: { 200: one } } },
      async (request) => {
        const { app } = await fullAppOf(context, request);
        return { notifier: present(app, notifierOf(app, request.params.id)) };
      },
    );

    api.post(
      '/apps/:app/notifiers',
      {
        schema: {
          tags,
          summary: 'Add a notifier',
          params: ofApp,
          body,
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const given = request.body.notifier ?? request.body.notifiers;
        if (!given) throw Refusal.invalid('notifier', 'must say what to add.');
        const { platform_id, name } = given;
        const platform = notificationPlatforms.find(({ id }) => id === platform_id);
        if (!platform) {
          const known = notificationPlatforms.map(({ id, name }) => `${id} (${name})`).join(', ');
          throw Refusal.invalid('platform_id', `is none of the platforms; they are ${known}.`);
        }
        const now = new Date().toISOString();
        const item = changed(
          {
            ...{ id: `no-${randomUUID()}`, createdAt: now, updatedAt: now, name },
            ...{ active: true, platform: platform.id, type: platform.name },
            ...{ sendAllEvents: false, sendAllAlerts: false, selectedEvents: [], typeData: {} },
          },
          given,
        );
        const attachment = { kind: 'notifier' as const, item };
        await region.attach({ app: app.id, attachment });
        await noteEvent(context, request, app, 'new_notifier', { notifier_name: item.name });
        return reply.status(201).send({ notifier: present(app, item) });
      },
    );

    api.post(
      '/apps/:app/notifiers/:id/test',
      {
        schema: {
          tags,
          summary: 'Send a test event to a webhook',
          params: ofNotifier,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app } = await fullAppOf(context, request);
        const { id, type } = notifierOf(app, request.params.id);
        if (type !== 'webhook') {
          throw Refusal.invalid(
            'platform_id',
            `Of notifiers, only webhooks are sent; this is ${type}.`,
          );
        }
        const event = {
          ...{ id: newId(), createdAt: new Date().toISOString(), user: userOf(request) },
          ...{ appId: app.id, appName: app.name, type: 'test', data: {} },
        };
        await context.webhooks.tryOut(event, id);
        return reply.status(204).send(null);
      },
    );

    api.patch(
      '/apps/:app/notifiers/:id',
      {
        schema: {
          tags,
          summary: 'Change a notifier',
          params: ofNotifier,
          body: z.object({ notifier: changes }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const item = changed(notifierOf(app, request.params.id), request.body.notifier);
        const attachment = { kind: 'notifier' as const, item };
        await region.attach({ app: app.id, attachment });
        return { notifier: present(app, item) };
      },
    );

    api.delete(
      '/apps/:app/notifiers/:id',
      {
        schema: {
          tags,
          summary: 'Remove a notifier',
          params: ofNotifier,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { id, name } = notifierOf(app, request.params.id);
        await region.detach({ app: app.id, kind: 'notifier', id });
        await noteEvent(context, request, app, 'delete_notifier', { notifier_name: name });
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `invalid` for unknown events, and for data that the platform cannot use */
function changed(known: Notifier, given: Changes): Notifier {
  const typeData = { ...known.typeData, ...given.type_data };
  requireUsable(known.type, typeData);
  return {
    ...known,
    updatedAt: new Date().toISOString(),
    name: given.name ?? known.name,
    active: given.active ?? known.active,
    sendAllEvents: given.send_all_events ?? known.sendAllEvents,
    sendAllAlerts: given.send_all_alerts ?? known.sendAllAlerts,
    selectedEvents: selection(given) ?? known.selectedEvents,
    typeData,
  };
}

function selection({ selected_event_ids, selected_events }: Changes): string[] | undefined {
  const unknown = selected_event_ids?.find((wanted) => !eventTypes.some(({ id }) => id === wanted));
  if (unknown !== undefined) {
    const what = `There is no event type ${unknown}. See /v1/event_types.`;
    throw Refusal.invalid('selected_event_ids', what);
  }
  if (selected_event_ids) return [...new Set(selected_event_ids)];
  return selected_events?.map((wanted) => {
    const found = eventTypes.find(({ name }) => name === wanted);
    if (found) return found.id;
    const what = `There is no event type "${wanted}". See /v1/event_types.`;
    throw Refusal.invalid('selected_events', what);
  });
}

const address = z.object({
  webhook_url: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }),
});
const letters = z.object({
  emails: z.array(z.email()).max(100).optional(),
  user_ids: z.array(z.string()).max(100).optional(),
});

/** @throws Refusal `invalid` */
function requireUsable(type: string, given: Record<string, unknown>): void {
  const { error } = (type === 'email' ? letters : address).safeParse(given);
  const [issue] = error?.issues ?? [];
  if (issue) throw Refusal.invalid(String(issue.path[0] ?? 'type_data'), issue.message);
}

/** @throws Refusal `not-found` */
function notifierOf(app: App, id: string): Notifier {
  const found = app.notifiers.find((one) => one.id === id);
  if (found) return found;
  const what = `${app.name} has no notifier ${id}. List them to see their ids.`;
  throw Refusal.notFound('Notifier', what);
}
