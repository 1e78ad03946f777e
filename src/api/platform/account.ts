import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { loginOf } from '../auth/authenticate.js';
import { type ApiContext, baseUrl } from '../context.js';
import { presentUser, userShape } from './user-shape.js';

const regionShape = z
  .object({
    name: z.string(),
    display_name: z.string(),
    api: z.string(),
    dashboard: z.string(),
    database_api: z.string(),
    ssh: z.string(),
    default: z.boolean(),
  })
  .meta({
    examples: [
      {
        name: 'osc-fr1',
        display_name: 'Paris',
        api: 'https://godwit.example.org/regions/osc-fr1',
        dashboard: '',
        database_api: 'https://godwit.example.org/regions/osc-fr1',
        ssh: '',
        default: true,
      },
    ],
  });

/** Who one is, and which regions there are. */
export function accountRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/users/self',
      {
        schema: {
          tags: ['Account'],
          summary: 'Who you are',
          response: { 200: z.object({ user: userShape }) },
        },
      },
      async (request) => {
        const { user, since } = loginOf(request);
        return { user: presentUser(user, since) };
      },
    );

    api.get(
      '/regions',
      {
        schema: {
          tags: ['Regions'],
          summary: 'List the regions',
          response: {
            200: z.object({
              regions: z.array(regionShape),
            }),
          },
        },
      },
      async (request) => {
        const { registry } = context;
        const regions = registry.names().map((name) => {
          const api = `${baseUrl(context, request)}/regions/${name}`;
          return {
            name,
            display_name: registry.displayName(name),
            api,
            dashboard: '',
            database_api: api,
            ssh: '',
            default: name === registry.default,
          };
        });
        return { regions };
      },
    );
  };
}
