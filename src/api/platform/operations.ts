import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { id } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, appOf } from '../context.js';

const shape = z
  .object({
    id: z.string(),
    app_id: z.string(),
    type: z.string(),
    status: z.enum(['running', 'done', 'error']),
    created_at: z.string(),
    finished_at: z.string().nullable(),
    error: z.string().optional().describe('Only when the status is error'),
  })
  .meta({
    examples: [
      {
        id: '54100930736f7563d5030000',
        app_id: '54100930736f7563d5030001',
        type: 'restart',
        status: 'done',
        created_at: '2026-01-01T10:17:52.690Z',
        finished_at: '2026-01-01T10:17:53.120Z',
      },
    ],
  });

/** Scaling and restarting that may go on after the answer. */
export function operationRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (api) => {
    api.get(
      '/apps/:app/operations/:id',
      {
        schema: {
          tags: ['Containers'],
          summary: 'How far an operation is; the last 20 of an application are kept',
          params: z.object({ app: z.string(), id: z.string() }),
          response: { 200: z.object({ operation: shape }) },
        },
      },
      async (request) => {
        const { app, region } = await appOf(context, request);
        const wanted = id.safeParse(request.params.id);
        const found = wanted.success
          ? await region.findOperation({ app: app.id, operation: wanted.data })
          : null;
        if (!found) {
          const what = `${app.name} has no operation ${request.params.id}; only the last ones are kept.`;
          throw Refusal.notFound('Operation', what);
        }
        const operation = {
          id: found.id,
          app_id: app.id,
          type: found.type,
          status: found.status,
          created_at: found.createdAt,
          finished_at: found.finishedAt,
          ...(found.error !== null && { error: found.error }),
        };
        return { operation };
      },
    );
  };
}
