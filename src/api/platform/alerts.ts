import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Alert } from '../../region/attachments.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, fullAppOf } from '../context.js';
import { containerType, metric } from './metrics.js';

const tags = ['Alerts'];
const ofApp = z.object({ app: z.string() });
const ofAlert = ofApp.extend({ id: z.string() });
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    container_type: z.string(),
    metric: z.string(),
    limit: z.number(),
    disabled: z.boolean(),
    send_when_below: z.boolean(),
    duration_before_trigger: z.number().describe('Nanoseconds'),
    remind_every: z.string().describe('Such as 5m0s; empty for never'),
    notifiers: z.array(z.string()).describe('Ids'),
    metadata: z.record(z.string(), z.unknown()),
  })
  .meta({
    examples: [
      {
        id: 'al-297f1134-8576-45ac-ab58-2100b6807683',
        app_id: '54100930736f7563d5030000',
        created_at: '2026-01-01T14:56:06.270Z',
        updated_at: '2026-01-01T14:56:06.270Z',
        container_type: 'web',
        metric: 'cpu',
        limit: 0.8,
        disabled: false,
        send_when_below: false,
        duration_before_trigger: 240_000_000_000,
        remind_every: '1h0m0s',
        notifiers: ['no-824fd8bb-0efe-4b7b-9605-1b98110abeef'],
        metadata: {},
      },
    ],
  });
const one = z.object({ alert: shape });
const changes = z.object({
  container_type: containerType.nullish(),
  metric: metric.nullish(),
  limit: z.number().nullish(),
  disabled: z.boolean().nullish(),
  send_when_below: z.boolean().nullish(),
  duration_before_trigger: z.number().int().min(0).nullish(),
  remind_every: z
    .union([z.string().max(40), z.number().int().min(0).max(31_536_000)])
    .nullish()
    .describe('Such as 5m0s, or seconds'),
  notifiers: z.array(z.string()).max(100).nullish(),
});
const creation = changes
  .extend({ container_type: containerType, metric, limit: z.number() })
  .meta({ examples: [{ container_type: 'web', metric: 'cpu', limit: 0.8 }] });

const present = (app: App, it: Alert): z.infer<typeof shape> => ({
  id: it.id,
  app_id: app.id,
  created_at: it.createdAt,
  updated_at: it.updatedAt,
  container_type: it.containerType,
  metric: it.metric,
  limit: it.limit,
  disabled: it.disabled,
  send_when_below: it.sendWhenBelow,
  duration_before_trigger: it.durationBeforeTrigger,
  remind_every: it.remindEvery ?? '',
  notifiers: it.notifiers,
  metadata: {},
});

/** When to warn of a metric. Kept with the application; regions measure nothing yet. */
export function alertRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/alerts',
      {
        schema: {
          tags,
          summary: 'List the alerts of an application',
          params: ofApp,
          response: { 200: z.object({ alerts: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { alerts: app.alerts.map((it) => present(app, it)) };
      },
    );

    api.get(
      '/apps/:app/alerts/:id',
      { schema: { tags, summary: 'Show an alert', params: ofAlert, response: { 200: one } } },
      async (request) => {
        const { app } = await appOf(context, request);
        return { alert: present(app, alertOf(app, request.params.id)) };
      },
    );

    api.post(
      '/apps/:app/alerts',
      {
        schema: {
          tags,
          summary: 'Add an alert',
          description: 'Kept with the application; nothing is measured and nobody is told.',
          params: ofApp,
          body: z.object({ alert: creation }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { container_type, metric, limit } = request.body.alert;
        const now = new Date().toISOString();
        const item = changed(
          app,
          {
            ...{ id: `al-${randomUUID()}`, createdAt: now, updatedAt: now },
            ...{ containerType: container_type, metric, limit, disabled: false },
            ...{ sendWhenBelow: false, durationBeforeTrigger: 0, remindEvery: null, notifiers: [] },
          },
          request.body.alert,
        );
        const attachment = { kind: 'alert' as const, item };
        await region.attach({ app: app.id, attachment });
        return reply.status(201).send({ alert: present(app, item) });
      },
    );

    api.patch(
      '/apps/:app/alerts/:id',
      {
        schema: {
          tags,
          summary: 'Change an alert',
          params: ofAlert,
          body: z.object({ alert: changes }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const item = changed(app, alertOf(app, request.params.id), request.body.alert);
        const attachment = { kind: 'alert' as const, item };
        await region.attach({ app: app.id, attachment });
        return { alert: present(app, item) };
      },
    );

    api.delete(
      '/apps/:app/alerts/:id',
      {
        schema: {
          tags,
          summary: 'Remove an alert',
          params: ofAlert,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { id } = alertOf(app, request.params.id);
        await region.detach({ app: app.id, kind: 'alert', id });
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `invalid` for a notifier that the app does not have */
function changed(app: App, known: Alert, given: z.infer<typeof changes>): Alert {
  const unknown = given.notifiers?.find((wanted) => !app.notifiers.some(({ id }) => id === wanted));
  if (unknown !== undefined) {
    const what = `${app.name} has no notifier ${unknown}. Add it first, or name another.`;
    throw Refusal.invalid('notifiers', what);
  }
  return {
    ...known,
    updatedAt: new Date().toISOString(),
    containerType: given.container_type ?? known.containerType,
    metric: given.metric ?? known.metric,
    limit: given.limit ?? known.limit,
    disabled: given.disabled ?? known.disabled,
    sendWhenBelow: given.send_when_below ?? known.sendWhenBelow,
    durationBeforeTrigger: given.duration_before_trigger ?? known.durationBeforeTrigger,
    remindEvery:
      given.remind_every === undefined ? known.remindEvery : durationOf(given.remind_every),
    notifiers: given.notifiers ?? known.notifiers,
  };
}

/** @throws Refusal `not-found` */
function alertOf(app: App, id: string): Alert {
  const found = app.alerts.find((one) => one.id === id);
  if (found) return found;
  throw Refusal.notFound('Alert', `${app.name} has no alert ${id}. List them to see their ids.`);
}

/** A duration as the API writes it, such as `1h0m30s`, also when it is given in seconds; null for none. */
function durationOf(given: string | number | null): string | null {
  if (typeof given !== 'number') return given || null;
  const [hours, minutes] = [Math.floor(given / 3_600), Math.floor(given / 60) % 60];
  const parts = [...(hours ? [`${hours}h`] : []), ...(given >= 60 ? [`${minutes}m`] : [])];
  return given === 0 ? null : `${parts.join('')}${given % 60}s`;
}
