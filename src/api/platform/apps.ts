import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type App, appHealth, appName } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, appOf, type Found, maySee, regionOf, requireOwner } from '../context.js';

const tags = ['Apps'];
const ofApp = z.object({ app: z.string() });

const appShape = z.object({
  id: z.string(),
  name: z.string(),
  region: z.string(),
  owner: z.object({ id: z.string(), username: z.string(), email: z.string() }),
  status: z.enum(['new', 'running', 'stopped', 'crashed', 'booting']),
  url: z.string(),
  base_url: z.string(),
  git_url: z.string().nullable(),
  force_https: z.boolean(),
  sticky_session: z.boolean(),
  router_logs: z.boolean(),
  created_at: z.string(),
  updated_at: z.string(),
  /** The migration that froze the app; null when it may be changed. */
  frozen_by: z.string().nullable(),
});
const one = z.object({ app: appShape });

async function presentApp({ app, region }: Found): Promise<z.infer<typeof appShape>> {
  const [{ edge }, { state }] = await Promise.all([
    region.describe({}),
    region.health({ app: app.id }),
  ]);
  const url = `http://${app.name}.${region.name}.localhost:${edge.split(':').at(-1)}`;
  const states = { healthy: 'running', starting: 'booting', unhealthy: 'crashed' } as const;
  return {
    id: app.id,
    name: app.name,
    region: region.name,
    owner: app.owner,
    status: app.build === null ? 'new' : state === 'stopped' ? 'stopped' : states[state],
    url,
    base_url: url,
    git_url: null,
    force_https: app.settings.forceHttps,
    sticky_session: app.settings.stickySession,
    router_logs: app.settings.routerLogs,
    created_at: app.createdAt,
    updated_at: app.updatedAt,
    frozen_by: app.frozenBy,
  };
}

/** Apps: their life, settings and health. */
export function appRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps',
      {
        schema: {
          tags,
          summary: 'List the applications of the region that you may see',
          response: { 200: z.object({ apps: z.array(appShape) }) },
        },
      },
      async (request) => {
        const region = regionOf(context, request);
        const user = userOf(request);
        const visible = (await region.listApps({})).filter((app) => maySee(user, app));
        return { apps: await Promise.all(visible.map((app) => presentApp({ app, region }))) };
      },
    );

    api.post(
      '/apps',
      {
        schema: {
          tags,
          summary: 'Create an application',
          body: z.object({ app: z.object({ name: appName }) }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const region = regionOf(context, request);
        const { name } = request.body.app;
        const app = await region
          .createApp({ id: newId(), name, owner: userOf(request) })
          .catch((error) => {
            throw isTaken(error) ? Refusal.invalid('name', error.message) : error;
          });
        return reply.status(201).send({ app: await presentApp({ app, region }) });
      },
    );

    api.get(
      '/apps/:app',
      { schema: { tags, summary: 'Show an application', params: ofApp, response: { 200: one } } },
      async (request) => ({ app: await presentApp(await appOf(context, request)) }),
    );

    api.patch(
      '/apps/:app',
      {
        schema: {
          tags,
          summary: 'Change the settings of an application',
          params: ofApp,
          body: z.object({
            app: z.object({
              force_https: z.boolean().optional(),
              sticky_session: z.boolean().optional(),
              router_logs: z.boolean().optional(),
            }),
          }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const { force_https, sticky_session, router_logs } = request.body.app;
        const settings = {
          forceHttps: force_https,
          stickySession: sticky_session,
          routerLogs: router_logs,
        };
        const changed = await region.setSettings({ app: app.id, settings });
        return { app: await presentApp({ app: changed, region }) };
      },
    );

    api.post(
      '/apps/:app/rename',
      {
        schema: {
          tags,
          summary: 'Give an application another name',
          params: ofApp,
          body: z.object({ current_name: z.string(), new_name: appName }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        requireName(app, 'current_name', request.body.current_name);
        const renamed = await region.renameApp({ app: app.id, name: request.body.new_name });
        return { app: await presentApp({ app: renamed, region }) };
      },
    );

    api.delete(
      '/apps/:app',
      {
        schema: {
          tags,
          summary: 'Remove an application with its databases',
          params: ofApp,
          querystring: z.object({ current_name: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        requireName(app, 'current_name', request.query.current_name);
        await region.deleteApp({ app: app.id });
        return reply.status(204).send(null);
      },
    );

    api.get(
      '/apps/:app/health',
      {
        schema: {
          tags,
          summary: 'How the processes of an application do',
          params: ofApp,
          response: { 200: z.object({ health: appHealth }) },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        return { health: await region.health({ app: app.id }) };
      },
    );
  };
}

/** Removing and renaming name the app twice, so that neither happens by a slip. */
function requireName(app: App, field: string, given: string): void {
  if (given !== app.name) throw Refusal.invalid(field, `must be "${app.name}", its name now.`);
}

function isTaken(error: unknown): error is Refusal {
  return error instanceof Refusal && error.details.code === 'name_taken';
}
