import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { hostStack, type stack } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, regionOf } from '../context.js';
import { categoryShape, databases, presentProvider, providerShape } from './addon-shape.js';
import { containerSize, sizeOf } from './container-size.js';
import { eventCategories, eventCategoryShape, eventTypeShape, eventTypes } from './event-types.js';
import { notificationPlatforms, platformShape } from './notification-platforms.js';

const stackShape = z
  .object({
    id: z.string(),
    name: z.string(),
    base_image: z.string(),
    default: z.boolean(),
    description: z.string(),
    created_at: z.string(),
    deprecated_at: z.null(),
  })
  .meta({ examples: [presentStack(hostStack, 0)] });
const platforms = z.object({ notification_platforms: z.array(platformShape) });

function presentStack({ id, name, description, createdAt }: z.infer<typeof stack>, index: number) {
  return {
    id,
    name,
    base_image: name,
    default: index === 0,
    description,
    created_at: createdAt,
    deprecated_at: null,
  };
}

/** What there is to choose from, for anybody to see. */
export function catalogueRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/addon_providers',
      {
        schema: {
          tags: ['Addons'],
          summary: 'List what the region offers',
          security: [],
          querystring: z.object({ category_id: z.string().optional() }),
          response: { 200: z.object({ addon_providers: z.array(providerShape) }) },
        },
      },
      async (request) => {
        const { offers } = await regionOf(context, request).describe({});
        const wanted = request.query.category_id ?? databases.id;
        return { addon_providers: wanted === databases.id ? offers.map(presentProvider) : [] };
      },
    );

    api.get(
      '/addon_categories',
      {
        schema: {
          tags: ['Addons'],
          summary: 'List the categories of addons',
          security: [],
          response: { 200: z.object({ addon_categories: z.array(categoryShape) }) },
        },
      },
      async () => ({ addon_categories: [databases] }),
    );

    api.get(
      '/features/stacks',
      {
        schema: {
          tags: ['Apps'],
          summary: 'List the stacks of the region',
          security: [],
          response: { 200: z.object({ stacks: z.array(stackShape) }) },
        },
      },
      async (request) => {
        const { stacks } = await regionOf(context, request).describe({});
        return { stacks: stacks.map(presentStack) };
      },
    );

    api.get(
      '/features/container_sizes',
      {
        schema: {
          tags: ['Containers'],
          summary: 'List the sizes of containers: there is one',
          security: [],
          response: { 200: z.object({ container_sizes: z.array(containerSize) }) },
        },
      },
      async (request) => ({
        container_sizes: [sizeOf(await regionOf(context, request).describe({}))],
      }),
    );

    api.get(
      '/notification_platforms',
      {
        schema: {
          tags: ['Notifiers'],
          summary: 'List by what notifiers can tell of events',
          security: [],
          response: { 200: platforms },
        },
      },
      async () => ({ notification_platforms: notificationPlatforms }),
    );

    api.get(
      '/notification_platforms/search',
      {
        schema: {
          tags: ['Notifiers'],
          summary: 'Find a notification platform by its name',
          security: [],
          querystring: z.object({ name: z.string() }),
          response: { 200: platforms },
        },
      },
      async (request) => ({
        notification_platforms: notificationPlatforms.filter(
          ({ name }) => name === request.query.name,
        ),
      }),
    );

    api.get(
      '/notification_platforms/:id',
      {
        schema: {
          tags: ['Notifiers'],
          summary: 'Show a notification platform',
          security: [],
          params: z.object({ id: z.string() }),
          response: { 200: z.object({ notification_platform: platformShape }) },
        },
      },
      async (request) => {
        const found = notificationPlatforms.find(({ id }) => id === request.params.id);
        if (found) return { notification_platform: found };
        const what = `There is no notification platform ${request.params.id}. List them to see their ids.`;
        throw Refusal.notFound('NotificationPlatform', what);
      },
    );

    api.get(
      '/event_types',
      {
        schema: {
          tags: ['Notifiers'],
          summary: 'List the types of events that a notifier can select',
          security: [],
          response: { 200: z.object({ event_types: z.array(eventTypeShape) }) },
        },
      },
      async () => ({ event_types: eventTypes }),
    );

    api.get(
      '/event_categories',
      {
        schema: {
          tags: ['Notifiers'],
          summary: 'List the categories of event types',
          security: [],
          response: { 200: z.object({ event_categories: z.array(eventCategoryShape) }) },
        },
      },
      async () => ({ event_categories: eventCategories }),
    );
  };
}
