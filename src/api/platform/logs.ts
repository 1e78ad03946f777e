import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, baseUrl, regionOf } from '../context.js';
import { appShape, lookAtApp } from './app-shape.js';

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
              app: appShape,
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
          app: await lookAtApp({ app, region }),
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
            n: z.coerce.number().int().min(0).max(10_000).default(100),
            filter: z
              .string()
              .regex(/^[a-z0-9|-]{1,200}$/, 'must be names such as web-1 or web|worker')
              .optional()
              .describe('Process types or names whose lines are wanted, with | between them'),
            stream: z
              .enum(['true', 'false'])
              .default('false')
              .describe('Only `false`: lines are not streamed yet'),
          }),
        },
      },
      async (request, reply) => {
        const { token, n, filter, stream } = request.query;
        const { app } = request.params;
        if ((await context.signer.verify('logs', token)) !== app) {
          throw new Refusal('unauthorized', 'The address is too old. Ask for another.');
        }
        if (stream === 'true') {
          const what = 'Lines are not streamed yet. Ask without it, again and again.';
          throw Refusal.invalid('stream', what);
        }
        const region = regionOf(context, request);
        const all = n === 0 ? [] : await region.logs({ app, lines: filter ? 10_000 : n });
        const lines = filter ? all.filter(isOf(filter.split('|'))).slice(-n) : all;
        return reply
          .type('text/plain; charset=utf-8')
          .send(lines.map((line) => `${line}\n`).join(''));
      },
    );
  };
}

/** Whether a line is of one of those processes, named by type (`web`) or by name (`web-1`). */
function isOf(wanted: readonly string[]): (line: string) => boolean {
  return (line) => {
    const [, name] = /^\S+ \[([^\]]*)\]/.exec(line) ?? [];
    return wanted.some((one) => name === one || name?.replace(/-\d+$/, '') === one);
  };
}
