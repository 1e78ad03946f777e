import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type App, appHealth, appName, hostStack, type User } from '../../region/model.js';
import type { Region } from '../../region/region.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { userOf } from '../auth/authenticate.js';
import {
  type ApiContext,
  appOf,
  fullAppOf,
  maySee,
  noteEvent,
  regionOf,
  requireOwner,
} from '../context.js';
import { appShape, lookAtApp, presentApp } from './app-shape.js';
import { requireNoMigration } from './open-migration.js';

const tags = ['Apps'];
const ofApp = z.object({ app: z.string() });

const one = z.object({ app: appShape });
const healthExample = {
  state: 'healthy',
  processes: [
    {
      ...{ name: 'web-1', state: 'running', startedAt: '2026-01-02T03:04:05.678Z' },
      ...{ bootTime: 340, crashes: 0 },
    },
  ],
  reason: null,
};
const dryRun = z.object({ 'x-dry-run': z.string().optional() });

/** Apps: their life, settings and health. */
export function appRoutes(context: ApiContext): FastifyPluginAsyncZod {
  /** @throws Refusal `invalid` when that is nobody who collaborates on the app */
  async function heirOf(app: App, email: string): Promise<User> {
    const user = await context.accounts.ofEmail(email);
    if (user && maySee(user, app)) return user;
    const what = `${email} does not collaborate on ${app.name}. Invite them first; they can own it once they have accepted.`;
    throw Refusal.invalid('owner', what);
  }

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
        const [all, description] = await Promise.all([region.listApps({}), region.describe({})]);
        const visible = all.filter((app) => maySee(user, app));
        const apps = await Promise.all(
          visible.map(async (app) => {
            const { state } = await region.health({ app: app.id });
            return presentApp(app, description, state);
          }),
        );
        return { apps };
      },
    );

    api.post(
      '/apps',
      {
        schema: {
          tags,
          summary: 'Create an application',
          description: 'With `X-Dry-Run: true` it is only checked whether that is possible.',
          headers: dryRun,
          body: z
            .object({ app: z.object({ name: appName, stack_id: z.string().nullish() }) })
            .meta({ examples: [{ app: { name: 'heron' } }] }),
          response: { 201: one },
        },
      },
      async (request, reply) => {
        const region = regionOf(context, request);
        const { name, stack_id } = request.body.app;
        const stack = await stackNamed(region, stack_id ?? hostStack.id);
        const wanted = { id: newId(), name, owner: userOf(request) };
        if (request.headers['x-dry-run'] === 'true') {
          if (await region.findApp({ ref: name })) {
            throw Refusal.invalid('name', `is taken on ${region.name}. Choose another.`);
          }
          const app = neverMade({ ...wanted, stack });
          const description = await region.describe({});
          return reply.status(201).send({ app: presentApp(app, description, 'stopped') });
        }
        let app = await region.createApp(wanted).catch((error) => {
          throw isTaken(error) ? Refusal.invalid('name', error.message) : error;
        });
        if (stack !== app.stack) {
          app = await region.setSettings({ app: app.id, settings: {}, stack });
        }
        await noteEvent(context, request, app, 'new_app', {});
        return reply.status(201).send({ app: await lookAtApp({ app, region }) });
      },
    );

    api.get(
      '/apps/:app',
      { schema: { tags, summary: 'Show an application', params: ofApp, response: { 200: one } } },
      async (request) => ({ app: await lookAtApp(await appOf(context, request)) }),
    );

    api.patch(
      '/apps/:app',
      {
        schema: {
          tags,
          summary: 'Change the settings or the owner of an application',
          description: 'A new owner is one of the collaborators; `current_name` confirms it.',
          params: ofApp,
          querystring: z.object({ current_name: z.string().optional() }),
          body: z
            .object({
              current_name: z.string().optional(),
              app: z.object({
                force_https: z.boolean().optional(),
                sticky_session: z.boolean().optional(),
                router_logs: z.boolean().optional(),
                prewarm: z
                  .boolean()
                  .optional()
                  .describe(
                    'Whether a switch may start its web processes ahead, while databases only read',
                  ),
                stack_id: z.string().optional(),
                owner: z.email().optional().describe('Email address of the new owner'),
              }),
            })
            .meta({ examples: [{ app: { force_https: true } }] }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const { force_https, sticky_session, router_logs, prewarm, stack_id, owner } =
          request.body.app;
        let heir: User | null = null;
        if (owner !== undefined) {
          requireOwner(request, app);
          requireName(app, 'current_name', request.query.current_name ?? request.body.current_name);
          heir = await heirOf(app, owner);
        }
        const settings = {
          forceHttps: force_https,
          stickySession: sticky_session,
          routerLogs: router_logs,
          prewarm,
        };
        const stack = stack_id;
        let changed = await region.setSettings({ app: app.id, settings, stack });
        await noteEvent(context, request, app, 'edit_app', {
          force_https,
          sticky_session,
          router_logs,
          prewarm,
        });
        if (heir) {
          changed = await region.transferApp({ app: app.id, owner: heir });
          const { id, username, email } = app.owner;
          const owners = { old_owner: { id, username, email }, new_owner: heir };
          await noteEvent(context, request, app, 'transfer_app', owners);
        }
        return { app: await lookAtApp({ app: changed, region }) };
      },
    );

    api.post(
      '/apps/:app/rename',
      {
        schema: {
          tags,
          summary: 'Give an application another name',
          params: ofApp,
          body: z
            .object({ current_name: z.string(), new_name: appName })
            .meta({ examples: [{ current_name: 'heron', new_name: 'egret' }] }),
          response: { 200: one },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        requireOwner(request, app);
        requireName(app, 'current_name', request.body.current_name);
        await requireNoMigration(context, app);
        const renamed = await region.renameApp({ app: app.id, name: request.body.new_name });
        const names = { old_name: app.name, new_name: renamed.name };
        await noteEvent(context, request, app, 'rename_app', names);
        return { app: await lookAtApp({ app: renamed, region }) };
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
        await requireNoMigration(context, app);
        await region.deleteApp({ app: app.id });
        await noteEvent(context, request, app, 'delete_app', {});
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
          response: { 200: z.object({ health: appHealth.meta({ examples: [healthExample] }) }) },
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
function requireName(app: App, field: string, given: string | undefined): void {
  if (given !== app.name) throw Refusal.invalid(field, `must be "${app.name}", its name now.`);
}

function isTaken(error: unknown): error is Refusal {
  return error instanceof Refusal && error.details.code === 'name_taken';
}

/** @throws Refusal `invalid` when the region has no such stack */
async function stackNamed(region: Region, wanted: string): Promise<string> {
  const { stacks } = await region.describe({});
  if (stacks.some(({ id }) => id === wanted)) return wanted;
  const known = stacks.map(({ id, name }) => `${id} (${name})`).join(', ');
  throw Refusal.invalid('stack_id', `There is no stack "${wanted}"; there is ${known}.`);
}

/** What a dry run shows of an app that it did not create. */
function neverMade(given: Pick<App, 'id' | 'name' | 'owner' | 'stack'>): App {
  const now = new Date().toISOString();
  return {
    ...given,
    collaborators: [],
    settings: { forceHttps: false, stickySession: false, routerLogs: false, prewarm: false },
    limits: {},
    flags: {},
    variables: [],
    formation: [],
    domains: [],
    addons: [],
    build: null,
    lastDeployment: null,
    notifiers: [],
    alerts: [],
    logDrains: [],
    autoscalers: [],
    scmLink: null,
    started: false,
    warmed: false,
    frozenBy: null,
    madeBy: null,
    createdAt: now,
    updatedAt: now,
  };
}
