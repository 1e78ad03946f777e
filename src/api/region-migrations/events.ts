import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Changes } from '../../migration/migrations.js';
import type { ApiContext } from '../context.js';
import { beginEvents } from '../event-stream.js';
import { migrationOf, ofMigration } from './migration-of.js';
import { presentMigration, presentStep, stepExample } from './presenter.js';

/** A version of a migration, as the id of an event. */
const version = z
  .string()
  .regex(/^\d+$/)
  .transform(Number)
  .pipe(z.number().positive().safe())
  .nullable()
  .catch(null);

const eventsAsText = z
  .string()
  .describe(
    'Events whose data is JSON: a migration for `snapshot`, a migration without its steps for `migration`, a step for `step`. The last event of a change has an `id`. A comment comes every 15 s',
  )
  .meta({
    examples: [
      [...['event: step', `data: ${JSON.stringify(stepExample)}`, 'id: 7', '', '']].join('\n'),
    ],
  });

/**
 * A migration as server-sent events: `snapshot`, all of it, first; then `migration` (without its
 * steps) and `step` as they change. Who comes back with `Last-Event-ID` gets what changed since.
 */
export function migrationEventRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.get(
      '/apps/:app/region_migrations/:id/events',
      {
        sse: 'manual',
        schema: {
          tags: ['Region migrations'],
          summary: 'Follow a migration as server-sent events',
          description:
            'First `snapshot` with all of it, then `migration` (without steps) and `step` as they change. Resumes after `Last-Event-ID`.',
          params: ofMigration,
          response: {
            200: {
              description: 'The migration as it changes; ends when the client does',
              content: { 'text/event-stream': { schema: eventsAsText } },
            },
          },
        },
      },
      async (request, reply) => {
        const migration = await migrationOf(context, request);
        if (request.method === 'HEAD') return reply.type('text/event-stream').send('');
        const since = version.parse(reply.sse.lastEventId);
        const gone = beginEvents(reply);
        const changes = context.migrations.follow(migration.id, since, gone);
        await reply.sse.send(events(changes));
      },
    );
  };
}

async function* events(changes: AsyncIterable<Changes>) {
  for await (const { version, isWhole, migration, steps } of changes) {
    const told = [];
    if (isWhole && migration) told.push({ event: 'snapshot', data: presentMigration(migration) });
    else {
      if (migration) {
        const { steps: _, ...itself } = presentMigration(migration);
        told.push({ event: 'migration', data: itself });
      }
      told.push(...steps.map((step) => ({ event: 'step', data: presentStep(step) })));
    }
    // Only the last one of a version has its id: who has heard it has heard them all.
    const last = told.pop();
    yield* told;
    if (last) yield { ...last, id: String(version) };
  }
}
