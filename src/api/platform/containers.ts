import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type App, formationEntry } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { derivedId, newId } from '../../shared/ids.js';
import { type ApiContext, appOf, baseUrl, type Found, noteEvent } from '../context.js';
import { containerSize, onlySize, sizeOf } from './container-size.js';

const tags = ['Containers'];
const ofApp = z.object({ app: z.string() });
const shape = z
  .object({
    id: z.string(),
    name: z.string(),
    amount: z.number(),
    size: z.string(),
    command: z.string().nullable(),
  })
  .meta({
    examples: [
      {
        id: '52fd2457356330032b020000',
        name: 'web',
        amount: 2,
        size: 'M',
        command: 'node server.js',
      },
    ],
  });
const many = z.object({ containers: z.array(shape) });
const processShape = z
  .object({
    id: z.string(),
    label: z.string().describe('Such as web-1'),
    type: z.string(),
    type_index: z.number(),
    state: z.enum(['booting', 'running', 'crashed', 'stopped']),
    command: z.string(),
    size: z.string(),
    container_size: containerSize,
    created_at: z.string().nullable(),
    deleted_at: z.null(),
  })
  .meta({
    examples: [
      {
        ...{ id: '52fd2457356330032b020001', label: 'web-1', type: 'web', type_index: 1 },
        ...{ state: 'running', command: 'node server.js', size: onlySize },
        container_size: sizeOf({ name: 'osc-fr1', memory: 16_000_000_000 }),
        ...{ created_at: '2026-01-02T03:04:05.678Z', deleted_at: null },
      },
    ],
  });
const wanted = formationEntry
  .extend({ size: z.string().nullish().describe('There is one size; left out, nothing changes') })
  .meta({ examples: [{ name: 'web', amount: 2 }] });
const scope = z.union([z.string(), z.array(z.string()).max(100)]).nullish();
const nothing = { 202: z.null().optional().describe('An empty body') };
const states = {
  starting: 'booting',
  running: 'running',
  'backing-off': 'crashed',
  stopped: 'stopped',
} as const;

const present = (app: App) =>
  app.formation.map(({ name, amount }) => ({
    id: derivedId(app.id, 'container', name),
    name,
    amount,
    size: onlySize,
    command: app.build?.processTypes[name] ?? null,
  }));

/** The formation, and starting and ending it. */
export function containerRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const addressOf = (
    { app, region }: Found,
    operation: string,
    request: { readonly protocol: string; readonly host: string },
  ) =>
    `${baseUrl(context, request)}/regions/${region.name}/v1/apps/${app.id}/operations/${operation}`;

  return async (api) => {
    api.get(
      '/apps/:app/containers',
      {
        schema: {
          tags,
          summary: 'List process types and their amounts',
          params: ofApp,
          response: { 200: many },
        },
      },
      async (request) => ({ containers: present((await appOf(context, request)).app) }),
    );

    api.get(
      '/apps/:app/ps',
      {
        schema: {
          tags,
          summary: 'List the processes that there are',
          params: ofApp,
          response: { 200: z.object({ containers: z.array(processShape) }) },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const [description, { processes }] = await Promise.all([
          region.describe({}),
          region.health({ app: app.id }),
        ]);
        const containers = processes.map(({ name, state, startedAt }) => {
          const [, type = name, index = '0'] = /^(.*)-(\d+)$/.exec(name) ?? [];
          return {
            id: derivedId(app.id, 'process', name),
            label: name,
            type,
            type_index: Number(index),
            state: states[state],
            command: app.build?.processTypes[type] ?? '',
            size: onlySize,
            container_size: sizeOf(description),
            created_at: startedAt,
            deleted_at: null,
          };
        });
        return { containers };
      },
    );

    api.post(
      '/apps/:app/scale',
      {
        schema: {
          tags,
          summary: 'Set the amounts of process types; those not named stay as they are',
          description: 'Location leads to the operation, which is done when the processes run.',
          params: ofApp,
          body: z.object({ containers: z.array(wanted).min(1).max(100) }),
          response: { 202: many },
        },
      },
      async (request, reply) => {
        const found = await appOf(context, request);
        const { app, region } = found;
        const { containers } = request.body;
        const unknown = containers.find(({ size }) => size && size !== onlySize);
        if (unknown) {
          const what = `There is no size "${unknown.size}"; there is ${onlySize}.`;
          throw Refusal.invalid('size', what);
        }
        const operation = newId();
        const formation = containers.map(({ name, amount }) => ({ name, amount }));
        const scaled = await region.scale({ app: app.id, formation, operation });
        const data = { previous_containers: amounts(app), containers: amounts(scaled) };
        await noteEvent(context, request, app, 'scale', data);
        return reply
          .status(202)
          .header('location', addressOf(found, operation, request))
          .send({ containers: present(scaled) });
      },
    );

    api.post(
      '/apps/:app/restart',
      {
        schema: {
          tags,
          summary: 'Start processes anew: those in `scope` (`web`, `web-1`), or all',
          description: 'Location leads to the operation, which is done when the processes run.',
          params: ofApp,
          body: z
            .object({ scope })
            .meta({ examples: [{ scope: ['web'] }] })
            .nullish(),
          response: nothing,
        },
      },
      async (request, reply) => {
        const found = await appOf(context, request);
        const operation = newId();
        const given = request.body?.scope ?? [];
        const meant = typeof given === 'string' ? [given] : given;
        await found.region.restart({ app: found.app.id, scope: meant, operation });
        const scope = meant.length > 0 ? meant : null;
        await noteEvent(context, request, found.app, 'restart', { scope });
        return reply
          .status(202)
          .header('location', addressOf(found, operation, request))
          .send(undefined);
      },
    );

    for (const verb of ['start', 'stop'] as const) {
      api.post(
        `/apps/:app/${verb}`,
        { schema: { tags, summary: `${verb} all processes`, params: ofApp, response: nothing } },
        async (request, reply) => {
          const { app, region } = await appOf(context, request);
          await region[verb]({ app: app.id });
          await noteEvent(context, request, app, `${verb}_app`, {});
          return reply.status(202).send(undefined);
        },
      );
    }
  };
}

const amounts = ({ formation }: App) =>
  Object.fromEntries(formation.map(({ name, amount }) => [name, amount]));
