import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Addon, App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { type ApiContext, appOf, fullAppOf, noteEvent, regionOf } from '../context.js';
import { addonShape, planShape, presentAddon, presentPlan } from './addon-shape.js';

const tags = ['Addons'];
const ofApp = z.object({ app: z.string() });
const ofAddon = ofApp.extend({ id: z.string() });

const message = z.string().meta({ examples: ['Provisioned.'] });
const names = z.array(z.string()).meta({ examples: [['DATABASE_URL']] });

/** Services of applications. */
export function addonRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/addon_providers/:provider/plans',
      {
        schema: {
          tags,
          summary: 'List the plans of an addon provider',
          params: z.object({ provider: z.string() }),
          response: { 200: z.object({ plans: z.array(planShape) }) },
        },
      },
      async (request) => {
        const region = regionOf(context, request);
        const wanted = request.params.provider;
        const offer = (await region.describe({})).offers.find(({ product }) => product === wanted);
        if (offer) return { plans: offer.plans.map((name, index) => presentPlan(name, index + 1)) };
        const what = `${region.name} has no addon provider "${wanted}". See /v1/addon_providers.`;
        throw Refusal.notFound('AddonProvider', what);
      },
    );

    api.get(
      '/apps/:app/addons',
      {
        schema: {
          tags,
          summary: 'List the addons of an application',
          params: ofApp,
          response: { 200: z.object({ addons: z.array(addonShape) }) },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const { offers } = await region.describe({});
        return { addons: app.addons.map((addon) => presentAddon(app, addon, offers)) };
      },
    );

    api.get(
      '/apps/:app/addons/:id',
      {
        schema: {
          tags,
          summary: 'Show an addon',
          params: ofAddon,
          response: { 200: z.object({ addon: addonShape }) },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const addon = addonOf(app, request.params.id);
        const { offers } = await region.describe({});
        return { addon: presentAddon(app, addon, offers) };
      },
    );

    api.post(
      '/apps/:app/addons',
      {
        schema: {
          tags,
          summary: 'Provision an addon; its variables are seen after a restart',
          params: ofApp,
          body: z
            .object({
              addon: z.object({
                addon_provider_id: z.string(),
                plan_id: z.string(),
                options: z.object({ version: z.string().optional() }).optional(),
              }),
            })
            .meta({
              examples: [
                {
                  addon: {
                    ...{ addon_provider_id: 'postgresql', plan_id: 'postgresql-sandbox' },
                    options: { version: '17' },
                  },
                },
              ],
            }),
          response: {
            201: z.object({
              addon: addonShape,
              message,
              variables: names.describe('Names of the variables that it brings'),
            }),
          },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const { addon_provider_id, plan_id, options } = request.body.addon;
        const addon = await region.addAddon({
          app: app.id,
          id: newId(),
          product: addon_provider_id,
          plan: plan_id,
          version: options?.version ?? null,
          role: 'primary',
        });
        await noteEvent(context, request, app, 'new_addon', eventData(addon));
        const [now, { offers }] = await Promise.all([
          region.findApp({ ref: app.id }),
          region.describe({}),
        ]);
        return reply.status(201).send({
          addon: presentAddon(app, addon, offers),
          message: 'Provisioned. Restart the application for it to see the variables.',
          variables: now ? variablesOf(now, addon) : [],
        });
      },
    );

    api.patch(
      '/apps/:app/addons/:id',
      {
        schema: {
          tags,
          summary: 'Change the plan of an addon',
          description: 'No provider has a second plan yet: the plan that it has is all to ask for.',
          params: ofAddon,
          body: z
            .object({ addon: z.object({ plan_id: z.string() }) })
            .meta({ examples: [{ addon: { plan_id: 'postgresql-sandbox' } }] }),
          response: {
            200: z.object({ addon: addonShape, vars: names, message }),
          },
        },
      },
      async (request) => {
        const { app, region } = await fullAppOf(context, request);
        const addon = addonOf(app, request.params.id);
        if (app.frozenBy !== null) {
          const what = `${app.name} is frozen by migration ${app.frozenBy}. Wait for its end, or abort it: godwit migration-abort ${app.frozenBy} --app ${app.name}.`;
          throw Refusal.conflict('frozen', what);
        }
        const { plan_id } = request.body.addon;
        if (plan_id !== addon.plan) {
          const what = `${addon.product} has no other plan than ${addon.plan} that this addon could change to.`;
          throw Refusal.invalid('plan_id', what);
        }
        const { offers } = await region.describe({});
        return {
          addon: presentAddon(app, addon, offers),
          vars: variablesOf(app, addon),
          message: `The addon is on plan ${addon.plan}.`,
        };
      },
    );

    api.delete(
      '/apps/:app/addons/:id',
      {
        schema: {
          tags,
          summary: 'Remove an addon with its data',
          params: ofAddon,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await fullAppOf(context, request);
        const addon = addonOf(app, request.params.id);
        await region.removeAddon({ app: app.id, addon: addon.id });
        await noteEvent(context, request, app, 'delete_addon', eventData(addon));
        return reply.status(204).send(null);
      },
    );
  };
}

/** Names of the variables that an addon provides. */
function variablesOf(app: App, addon: Addon): string[] {
  return app.variables.flatMap(({ name, from }) => (from === addon.id ? name : []));
}

/** @throws Refusal `not-found` */
function addonOf(app: App, id: string): Addon {
  const found = app.addons.find((addon) => addon.id === id);
  if (found) return found;
  throw Refusal.notFound('Addon', `${app.name} has no addon ${id}. List them to see their ids.`);
}

const eventData = ({ id, product, plan }: Addon) => ({
  addon_provider_name: product,
  plan_name: plan,
  resource_id: id,
});
