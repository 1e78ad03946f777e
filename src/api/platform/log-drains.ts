import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type LogDrain, logDrainId } from '../../region/attachments.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, type Asking, fullAppOf, noteEvent } from '../context.js';
import { drainGiven, drainUrl, openPartOf } from './drain-url.js';

const tags = ['Log drains'];
const shape = z
  .object({ app_id: z.string(), url: z.string().describe('Holds the token: keep it secret') })
  .meta({
    examples: [
      { app_id: '54100930736f7563d5030000', url: 'syslog://:secret@logs.example.org:6514' },
    ],
  });

const present = (app: App, { url }: LogDrain) => ({ app_id: app.id, url });

const places = [
  {
    path: '/apps/:app/log_drains',
    whose: 'an application',
    params: z.object({ app: z.string() }),
  },
  {
    path: '/apps/:app/addons/:addon/log_drains',
    whose: 'an addon',
    params: z.object({ app: z.string(), addon: z.string() }),
  },
];

/** Where logs should go. Kept with the application; regions send none yet. */
export function logDrainRoutes(context: ApiContext): FastifyPluginAsyncZod {
  async function note(
    request: Pick<Asking, 'user'>,
    app: App,
    what: 'new' | 'delete',
    { url, addon }: LogDrain,
  ): Promise<void> {
    const type = addon === null ? `${what}_log_drain` : `${what}_addon_log_drain`;
    const product = app.addons.find(({ id }) => id === addon)?.product;
    const data = {
      url: openPartOf(url),
      ...(addon !== null && { addon_uuid: addon, addon_name: product }),
    };
    await noteEvent(context, request, app, type, data);
  }

  return async (api) => {
    for (const { path, whose, params } of places) {
      api.get(
        path,
        {
          schema: {
            tags,
            summary: `List the log drains of ${whose}`,
            params,
            response: { 200: z.object({ drains: z.array(shape) }) },
          },
        },
        async (request) => {
          const { app } = await fullAppOf(context, request);
          const addon = addonOf(app, request.params);
          const drains = app.logDrains.filter((drain) => drain.addon === addon);
          return { drains: drains.map((drain) => present(app, drain)) };
        },
      );

      api.post(
        path,
        {
          schema: {
            tags,
            summary: `Add a log drain to ${whose}`,
            description: 'Kept with the application; no logs are sent.',
            params,
            body: z.object({ drain: drainGiven }),
            response: { 201: z.object({ drain: shape }) },
          },
        },
        async (request, reply) => {
          const { app, region } = await fullAppOf(context, request);
          const addon = addonOf(app, request.params);
          const url = drainUrl(request.body.drain);
          const id = logDrainId({ addon, url });
          if (app.logDrains.some((drain) => drain.id === id)) {
            throw Refusal.invalid('url', 'That log drain is there already.');
          }
          const item: LogDrain = { id, url, addon, createdAt: new Date().toISOString() };
          const attachment = { kind: 'logDrain' as const, item };
          await region.attach({ app: app.id, attachment });
          await note(request, app, 'new', item);
          return reply.status(201).send({ drain: present(app, item) });
        },
      );

      api.delete(
        path,
        {
          schema: {
            tags,
            summary: `Remove the log drain of ${whose} that has that URL`,
            description: 'The URL is in the body, or in the query.',
            params,
            querystring: z.object({ url: z.string().optional() }),
            body: z.object({ url: z.string() }).nullish(),
            response: { 204: z.null() },
          },
        },
        async (request, reply) => {
          const { app, region } = await fullAppOf(context, request);
          const addon = addonOf(app, request.params);
          const url = request.body?.url ?? request.query.url;
          if (url === undefined) throw Refusal.invalid('url', 'must be that of a log drain.');
          const id = logDrainId({ addon, url });
          const drain = app.logDrains.find((one) => one.id === id);
          if (!drain) {
            const what = `${app.name} has no log drain with that URL. List them to see theirs.`;
            throw Refusal.notFound('LogDrain', what);
          }
          await region.detach({ app: app.id, kind: 'logDrain', id });
          await note(request, app, 'delete', drain);
          return reply.status(204).send(null);
        },
      );
    }
  };
}

/** @throws Refusal `not-found` */
function addonOf(app: App, params: { app: string } | { addon: string }): string | null {
  if (!('addon' in params)) return null;
  const wanted = params.addon;
  if (app.addons.some(({ id }) => id === wanted)) return wanted;
  throw Refusal.notFound(
    'Addon',
    `${app.name} has no addon ${wanted}. List them to see their ids.`,
  );
}
