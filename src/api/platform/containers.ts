import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type App, formationEntry } from '../../region/model.js';
import { derivedId } from '../../shared/ids.js';
import { type ApiContext, appOf } from '../context.js';

const tags = ['Containers'];
const ofApp = z.object({ app: z.string() });
const shape = z.object({
  id: z.string(),
  name: z.string(),
  amount: z.number(),
  command: z.string().nullable(),
});
const many = z.object({ containers: z.array(shape) });
const nothing = { 202: z.null() };

const present = (app: App) =>
  app.formation.map(({ name, amount }) => ({
    id: derivedId(app.id, 'container', name),
    name,
    amount,
    command: app.build?.processTypes[name] ?? null,
  }));

/** The formation, and starting and ending it. */
export function containerRoutes(context: ApiContext): FastifyPluginAsyncZod {
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

    api.post(
      '/apps/:app/scale',
      {
        schema: {
          tags,
          summary: 'Set the amounts of process types; those not named stay as they are',
          params: ofApp,
          body: z.object({ containers: z.array(formationEntry).min(1) }),
          response: { 202: many },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        const scaled = await region.scale({ app: app.id, formation: request.body.containers });
        return reply.status(202).send({ containers: present(scaled) });
      },
    );

    for (const verb of ['restart', 'start', 'stop'] as const) {
      api.post(
        `/apps/:app/${verb}`,
        { schema: { tags, summary: `${verb} all processes`, params: ofApp, response: nothing } },
        async (request, reply) => {
          const { app, region } = await appOf(context, request);
          await region[verb]({ app: app.id });
          return reply.status(202).send(null);
        },
      );
    }
  };
}
