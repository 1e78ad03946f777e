import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, baseUrl, regionOf } from '../context.js';

const tags = ['Logs'];
const ofApp = z.object({ app: z.string() });
/** Seconds for which an address of logs is good. */
const lifetime = 3_600;

/** Where an app's logs are: an address that is good for an hour, without logging in. */
export function logRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/logs',
      {
        schema: {
          tags,
          summary: 'Get an address that gives the last log lines',
          params: ofApp,
          response: {
            200: z.object({
              app: z.object({ id: z.string(), name: z.string() }),
              logs_url: z.string(),
            }),
          },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const token = await context.signer.sign('logs', app.id, lifetime);
        const path = `/regions/${region.name}/v1/logs/${app.id}`;
        return {
          app: { id: app.id, name: app.name },
          logs_url: `${baseUrl(context, request)}${path}?token=${token}`,
        };
      },
    );
  };
}

/** The lines themselves, for whoever has the address. */
export function logLineRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/logs/:app',
      {
        schema: {
          tags,
          summary: 'The last log lines, oldest first, as text',
          params: ofApp,
          querystring: z.object({
            token: z.string(),
            n: z.coerce.number().int().min(1).max(10_000).default(100),
          }),
        },
      },
      async (request, reply) => {
        const { token, n } = request.query;
        const { app } = request.params;
        if ((await context.signer.verify('logs', token)) !== app) {
          throw new Refusal('unauthorized', 'The address is too old. Ask for another.');
        }
        const lines = await regionOf(context, request).logs({ app, lines: n });
        return reply
          .type('text/plain; charset=utf-8')
          .send(lines.map((line) => `${line}\n`).join(''));
      },
    );
  };
}
