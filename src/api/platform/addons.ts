import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Addon, type App, addonStatus } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newId } from '../../shared/ids.js';
import { type ApiContext, appOf, regionOf } from '../context.js';

const tags = ['Addons'];
const ofApp = z.object({ app: z.string() });
const provider = z.object({ id: z.string(), name: z.string() });
const plan = z.object({ id: z.string(), name: z.string(), display_name: z.string() });
const shape = z.object({
  id: z.string(),
  app_id: z.string(),
  resource_id: z.string(),
  status: addonStatus,
  addon_provider: provider,
  plan,
  /** Major version of the product. */
  version: z.string(),
});

const named = (name: string) => ({ id: name, name });
const planNamed = (name: string) => ({ id: name, name, display_name: name });

const present = (app: App, { id, product, plan, version, status }: Addon) => ({
  id,
  app_id: app.id,
  resource_id: id,
  status,
  addon_provider: named(product),
  plan: planNamed(plan),
  version,
});

/** Addons, and what there is to choose from. */
export function addonRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/addon_providers',
      {
        schema: {
          tags,
          summary: 'List what the region offers',
          response: {
            200: z.object({
              addon_providers: z.array(provider.extend({ versions: z.array(z.string()) })),
            }),
          },
        },
      },
      async (request) => {
        const { offers } = await regionOf(context, request).describe({});
        return {
          addon_providers: offers.map(({ product, versions }) => ({ ...named(product), versions })),
        };
      },
    );

    api.get(
      '/addon_providers/:provider/plans',
      {
        schema: {
          tags,
          summary: 'List the plans of an addon provider',
          params: z.object({ provider: z.string() }),
          response: { 200: z.object({ plans: z.array(plan) }) },
        },
      },
      async (request) => {
        const region = regionOf(context, request);
        const wanted = request.params.provider;
        const offer = (await region.describe({})).offers.find(({ product }) => product === wanted);
        if (offer) return { plans: offer.plans.map(planNamed) };
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
          response: { 200: z.object({ addons: z.array(shape) }) },
        },
      },
      async (request) => {
        const { app } = await appOf(context, request);
        return { addons: app.addons.map((addon) => present(app, addon)) };
      },
    );

    api.post(
      '/apps/:app/addons',
      {
        schema: {
          tags,
          summary: 'Provision an addon; its variables are seen after a restart',
          params: ofApp,
          body: z.object({
            addon: z.object({
              addon_provider_id: z.string(),
              plan_id: z.string(),
              options: z.object({ version: z.string().optional() }).optional(),
            }),
          }),
          response: {
            201: z.object({
              addon: shape,
              message: z.string(),
              /** Names of the variables that it brings. */
              variables: z.array(z.string()),
            }),
          },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        const { addon_provider_id, plan_id, options } = request.body.addon;
        const addon = await region.addAddon({
          app: app.id,
          id: newId(),
          product: addon_provider_id,
          plan: plan_id,
          version: options?.version ?? null,
          role: 'primary',
        });
        const now = await region.findApp({ ref: app.id });
        const own = now?.variables.filter(({ from }) => from === addon.id) ?? [];
        return reply.status(201).send({
          addon: present(app, addon),
          message: 'Provisioned. Restart the application for it to see the variables.',
          variables: own.map(({ name }) => name),
        });
      },
    );

    api.delete(
      '/apps/:app/addons/:id',
      {
        schema: {
          tags,
          summary: 'Remove an addon with its data',
          params: ofApp.extend({ id: z.string() }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app, region } = await appOf(context, request);
        const { id } = request.params;
        if (!app.addons.some((addon) => addon.id === id)) {
          throw Refusal.notFound(
            'Addon',
            `${app.name} has no addon ${id}. List them to see their ids.`,
          );
        }
        await region.removeAddon({ app: app.id, addon: id });
        return reply.status(204).send(null);
      },
    );
  };
}
