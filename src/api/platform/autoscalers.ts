import { randomUUID } from 'node:crypto';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Autoscaler } from '../../region/attachments.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, fullAppOf } from '../context.js';
import { containerType, metric } from './metrics.js';

const tags = ['Autoscalers'];
const ofApp = z.object({ app: z.string() });
const ofAutoscaler = ofApp.extend({ id: z.string() });
/** The platform API's way to say that something never happened. */
const never = '0001-01-01T00:00:00Z';
const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    last_scale: z.string().describe('The first day of all when it never was'),
    container_type: z.string(),
    min_containers: z.number(),
    max_containers: z.number(),
    metric: z.string(),
    target: z.number(),
    disabled: z.boolean(),
    alert_id_scale_up: z.null(),
    alert_id_scale_down: z.null(),
  })
  .meta({
    examples: [
      {
        id: 'au-297f1134-8576-45ac-ab58-2100b6807683',
        app_id: '54100930736f7563d5030000',
        created_at: '2026-01-01T10:57:53.822Z',
        updated_at: '2026-01-01T10:57:53.822Z',
        last_scale: never,
        container_type: 'web',
        min_containers: 2,
        max_containers: 6,
        metric: 'rpm_per_container',
        target: 150,
        disabled: false,
        alert_id_scale_up: null,
        alert_id_scale_down: null,
      },
    ],
  });
const one = z.object({ autoscaler: shape });
const amount = z.number().int().min(0).max(20);
const changes = z.object({
  min_containers: amount.optional(),
  max_containers: amount.optional(),
  metric: metric.optional(),
  target: z.number().min(0).optional(),
  disabled: z.boolean().optional(),
});
const creation = z
  .object({
    container_type: containerType,
    min_containers: amount,
    max_containers: amount,
    metric,
    target: z.number().min(0),
    disabled: z.boolean().optional(),
  })
  .meta({
    examples: [
      {
        ...{ container_type: 'web', min_containers: 2, max_containers: 4 },
        ...{ metric: 'cpu', target: 0.8 },
      },
    ],
  });

const present = (app: App, it: Autoscaler): z.infer<typeof shape> => ({
  id: it.id,
  app_id: app.id,
  created_at: it.createdAt,
  updated_at: it.updatedAt,
  last_scale: never,
  container_type: it.containerType,
  min_containers: it.minContainers,
  max_containers: it.maxContainers,
  metric: it.metric,
  target: it.target,
  disabled: it.disabled,
  alert_id_scale_up: null,
  alert_id_scale_down: null,
});

/** Formations that follow a metric. Kept with the application; regions measure nothing yet. */
export function autoscalerRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/autoscalers',
      {
        schema: {
          tags,
          summary: 'List the autoscalers of an application',
          params: ofApp,
          response: { 200: z.object({ autoscalers: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { autoscalers: app.autoscalers.map((it) => present(app, it)) };
      },
    );

    api.get(
      '/apps/:app/autoscalers/:id',
      {
        schema: {
          tags,
          summary: 'Show an autoscaler',
          params: ofAutoscaler,
          response: { 200: one },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { autoscaler: present(app, autoscalerOf(app, request.params.id)) };
      },
    );

    api.post(
      '/apps/:app/autoscalers',
      {
        schema: {
          tags,
          summary: 'Add an autoscaler',
          description: 'Kept with the application; the formation stays as it was set.',
          params: ofApp,
          body: z.object({ autoscaler: creation }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const given = request.body.autoscaler;
        const now = new Date().toISOString();
        const item = changed(
          {
            ...{ id: `au-${randomUUID()}`, createdAt: now, updatedAt: now },
            containerType: given.container_type,
            minContainers: given.min_containers,
            maxContainers: given.max_containers,
            metric: given.metric,
            target: given.target,
            disabled: false,
          },
          given,
        );
        const attachment = { kind: 'autoscaler' as const, item };
        await region.attach({ app: app.id, attachment });
        return reply.status(201).send({ autoscaler: present(app, item) });
      },
    );

    for (const method of ['patch', 'put'] as const) {
      api[method](
        '/apps/:app/autoscalers/:id',
        {
          schema: {
            tags,
            summary: 'Change an autoscaler',
            params: ofAutoscaler,
            body: z.object({ autoscaler: changes }),
            response: { 200: one },
          },
        },
        async (request) => {
          const { app, region } = await fullAppOf(context, request);
          const item = changed(autoscalerOf(app, request.params.id), request.body.autoscaler);
          const attachment = { kind: 'autoscaler' as const, item };
          await region.attach({ app: app.id, attachment });
          return { autoscaler: present(app, item) };
        },
      );
    }

    api.delete(
      '/apps/:app/autoscalers/:id',
      {
        schema: {
          tags,
          summary: 'Remove an autoscaler',
          params: ofAutoscaler,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { id } = autoscalerOf(app, request.params.id);
        await region.detach({ app: app.id, kind: 'autoscaler', id });
        return reply.status(204).send(null);
      },
    );
  };
}

/** @throws Refusal `invalid` when the least is more than the most */
function changed(known: Autoscaler, given: z.infer<typeof changes>): Autoscaler {
  const minContainers = given.min_containers ?? known.minContainers;
  const maxContainers = given.max_containers ?? known.maxContainers;
  if (minContainers > maxContainers) {
    const what = `must not be more than max_containers, which is ${maxContainers}.`;
    throw Refusal.invalid('min_containers', what);
  }
  return {
    ...known,
    updatedAt: new Date().toISOString(),
    minContainers,
    maxContainers,
    metric: given.metric ?? known.metric,
    target: given.target ?? known.target,
    disabled: given.disabled ?? known.disabled,
  };
}

/** @throws Refusal `not-found` */
function autoscalerOf(app: App, id: string): Autoscaler {
  const found = app.autoscalers.find((one) => one.id === id);
  if (found) return found;
  const what = `${app.name} has no autoscaler ${id}. List them to see their ids.`;
  throw Refusal.notFound('Autoscaler', what);
}
