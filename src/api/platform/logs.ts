import type { WebSocket } from '@fastify/websocket';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf, baseUrl, regionOf } from '../context.js';
import { beginEvents } from '../event-stream.js';
import { appShape, lookAtApp } from './app-shape.js';
import { followLog, type LogChoice, type LogEvent } from './log-stream.js';

const tags = ['Logs'];
const ofApp = z.object({ app: z.string() });
const addressExample =
  'https://godwit.example.org/regions/osc-fr1/v1/logs/54100930736f7563d5030000?token=eyJh…';
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
          summary: 'Get an address that gives the log lines',
          params: ofApp,
          response: {
            200: z.object({
              app: appShape,
              logs_url: z.string().meta({ examples: [addressExample] }),
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

const lineQuery = z.object({
  token: z.string(),
  n: z.coerce.number().int().min(0).max(10_000).default(100),
  filter: z
    .string()
    .regex(/^[a-z0-9|-]{1,200}$/, 'must be names such as web-1 or web|worker')
    .transform((names) => names.split('|'))
    .optional()
    .describe('Process types or names whose lines are wanted, with | between them'),
  stream: z
    .enum(['true', 'false'])
    .default('false')
    .describe(
      'Whether lines go on to come as they are printed: as messages of a WebSocket for who asks for one, otherwise as server-sent events',
    ),
});

const linesAsText = z
  .string()
  .describe('A line each: `TIME [PROCESS] TEXT`')
  .meta({ examples: ['2026-01-02T03:04:05.678Z [web-1] listening\n'] });
const linesAsEvents = z
  .string()
  .describe(
    'Events whose data is JSON: `{"name": "log", "event": "log", "log": LINE}`, and `ping` with a `timestamp` at least every 10 s',
  )
  .meta({
    examples: [
      'data: {"name":"log","event":"log","log":"2026-01-02T03:04:05.678Z [web-1] listening"}\n\n',
    ],
  });

/** The lines themselves, for whoever has the address. */
export function logLineRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const choice = (app: string, { n, filter }: z.infer<typeof lineQuery>): LogChoice => ({
    app,
    lines: n,
    of: filter,
  });
  return async (api) => {
    api.route({
      method: 'GET',
      url: '/logs/:app',
      sse: 'manual',
      schema: {
        tags,
        summary: 'The last log lines, oldest first, as text, or a stream of them',
        security: [],
        params: ofApp,
        querystring: lineQuery,
        response: {
          200: {
            description: 'The lines; with `stream=true` a stream without an end',
            content: {
              'text/plain': { schema: linesAsText },
              'text/event-stream': { schema: linesAsEvents },
            },
          },
        },
      },
      preHandler: async ({ query, params }) => {
        if ((await context.signer.verify('logs', query.token)) === params.app) return;
        throw new Refusal('unauthorized', 'The address is too old. Ask for another.');
      },
      handler: async (request, reply) => {
        const region = regionOf(context, request);
        const wanted = choice(request.params.app, request.query);
        if (request.query.stream === 'false' || request.method === 'HEAD') {
          const { lines } = await region.logs(wanted);
          return reply
            .type('text/plain; charset=utf-8')
            .send(lines.map((line) => `${line}\n`).join(''));
        }
        const gone = beginEvents(reply);
        await reply.sse.send(messages(followLog(region, wanted, gone)));
      },
      wsHandler: async (socket, request) => {
        const { params, query } = request;
        const gone = new AbortController();
        socket.once('close', () => gone.abort());
        const wanted = choice(params.app, query);
        for await (const event of followLog(regionOf(context, request), wanted, gone.signal)) {
          if (gone.signal.aborted) return;
          await sent(socket, JSON.stringify(named(event)));
        }
        socket.close(1000);
      },
    });
  };
}

/** Clients look for what an event is under one name or the other. */
const named = (event: LogEvent) => ({ name: event.event, ...event });

async function* messages(events: AsyncIterable<LogEvent>) {
  for await (const event of events) yield { data: named(event) };
}

/** Resolves when the message is on its way, so that a slow reader slows down who sends. */
function sent(socket: WebSocket, text: string): Promise<void> {
  return new Promise((resolve) => {
    socket.send(text, () => resolve()); // whether it is gone, its end tells
  });
}
