import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { presentEvent } from '../../events/event.js';
import type { EventPage } from '../../events/event-log.js';
import { user } from '../../region/model.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, appOf, appsOfAll, maySee } from '../context.js';
import { meta, paginationOf, paging } from './pagination.js';

const tags = ['Events'];
const shape = z
  .object({
    id: z.string(),
    created_at: z.iso.datetime(),
    user: user.nullable(),
    app_id: z.string(),
    app_name: z.string().describe('As it was called then'),
    type: z.string(),
    type_data: z.record(z.string(), z.unknown()),
  })
  .meta({
    examples: [
      {
        id: '54dcdd4a73636100011a0000',
        created_at: '2026-01-01T18:05:14.226Z',
        user: {
          id: 'us-8ba226e5-93e0-4545-8363-9c16b2d68d67',
          username: 'ada',
          email: 'ada@example.org',
        },
        app_id: '54100930736f7563d5030000',
        app_name: 'heron',
        type: 'start_region_migration',
        type_data: {
          migration_id: 'b0c20b95-5e89-43cb-a44a-7a392a74aeea',
          source: 'osc-fr1',
          destination: 'osc-secnum-fr1',
          dst_app_name: 'heron',
        },
      },
    ],
  });
const many = z.object({ events: z.array(shape), meta });
/** Hours that are asked for by `from`, in milliseconds. */
const hour = 3_600_000;

/** What happened: to an app, and to whatever the user may see. */
export function eventRoutes(context: ApiContext): FastifyPluginAsyncZod {
  async function page(
    of: EventPage['of'],
    query: z.infer<typeof paging> & { readonly from?: number | undefined },
  ) {
    const { from } = query;
    // Whoever asks for the last hours gets all of them, on one page.
    const asked = from === undefined ? query : { page: 1, per_page: 10_000 };
    const { events, count } = await context.events.page({
      of,
      since: from === undefined ? null : new Date(Date.now() - from * hour),
      offset: (asked.page - 1) * asked.per_page,
      limit: asked.per_page,
    });
    return { events: events.map(presentEvent), meta: paginationOf(count, asked) };
  }

  return async (api) => {
    api.get(
      '/apps/:app/events',
      {
        schema: {
          tags,
          summary: 'List what happened to an application, newest first',
          params: z.object({ app: z.string() }),
          querystring: paging.extend({
            from: z.coerce
              .number()
              .int()
              .min(1)
              .max(72)
              .optional()
              .describe('Only the last hours, all on one page'),
          }),
          response: { 200: many },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        // What an app came of is told of by events that are another's.
        const migrations = (await context.migrations.list(app.id))
          .filter(({ newAppId }) => newAppId === app.id)
          .map(({ id }) => id);
        return page({ app: app.id, migrations }, request.query);
      },
    );

    api.get(
      '/events',
      {
        schema: {
          tags,
          summary: 'List what you did and what happened to your applications, newest first',
          querystring: paging,
          response: { 200: many },
        },
      },
      async (request) => {
        const me = userOf(request);
        const apps = (await appsOfAll(context)).flatMap(({ app }) => (maySee(me, app) ? app : []));
        return page({ user: me.id, apps: apps.map(({ id }) => id) }, request.query);
      },
    );
  };
}
