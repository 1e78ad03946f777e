import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { type ApiContext, appOf } from '../context.js';

const tags = ['Domains'];
const ofApp = z.object({ app: z.string() });
const shape = z.object({
  id: z.string(),
  app_id: z.string(),
  name: z.string(),
  canonical: z.boolean(),
  ssl: z.boolean(),
});

/** Host names of applications. */
export function domainRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/domains',
      {
        schema: {
          tags,
          summary: 'List the domains of an application',
          params: ofApp,
          response: { 200: z.object({ domains: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return {
          domains: app.domains.map((domain) => ({ ...domain, app_id: app.id, ssl: false })),
        };
      },
    );

    api.post(
      '/apps/:app/domains',
      {
        schema: {
          tags,
          summary: 'Add a domain',
          params: ofApp,
          body: z.object({
            domain: z.object({ name: z.string(), canonical: z.boolean().default(false) }),
          }),
          response: { 201: z.object({ domain: shape }) },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        const { name, canonical } = request.body.domain;
        const domain = { id: newId(), name: name.toLowerCase(), canonical };
        await region.addDomain({ app: app.id, domain });
        return reply.status(201).send({ domain: { ...domain, app_id: app.id, ssl: false } });
      },
    );

    api.delete(
      '/apps/:app/domains/:id',
      {
        schema: {
          tags,
          summary: 'Remove a domain',
          params: ofApp.extend({ id: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        const { id } = request.params;
        if (!app.domains.some((domain) => domain.id === id)) {
          throw Refusal.notFound(
            'Domain',
            `${app.name} has no domain ${id}. List them to see their ids.`,
          );
        }
        await region.removeDomain({ app: app.id, domain: id });
        return reply.status(204).send(null);
      },
    );
  };
}
