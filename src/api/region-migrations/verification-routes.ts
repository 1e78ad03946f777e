import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ApiContext, fullAppOf } from '../context.js';
import { migrationOf, ofMigration } from './migration-of.js';
import { presentVerification, verificationShape } from './verification-shape.js';

const tags = ['Region migrations'];
const path = '/apps/:app/region_migrations/:id/verification';

/** Comparing the databases of a migration with what follows them. */
export function verificationRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { migrations } = context;

  return async (app) => {
    app.post(
      path,
      {
        schema: {
          tags,
          summary: 'Compare the databases of a migration with what follows them',
          description:
            'Goes on after the answer; while one is under way, that is what is answered. It gives way to a phase that is asked for.',
          params: ofMigration,
          response: { 202: verificationShape },
        },
      },
      async (request, reply) => {
        await fullAppOf(context, request);
        const begun = await migrations.verify(await migrationOf(context, request));
        return reply.status(202).send(presentVerification(begun));
      },
    );

    app.get(
      path,
      {
        schema: {
          tags,
          summary: 'Show the comparison of databases that was begun last, by itself or by a phase',
          params: ofMigration,
          description: 'Null when none was.',
          response: { 200: verificationShape.nullable() },
        },
      },
      async (request) => {
        const found = await migrations.verification(await migrationOf(context, request));
        return found && presentVerification(found);
      },
    );

    app.delete(
      path,
      {
        schema: {
          tags,
          summary: 'Stop comparing; a phase that does it goes on without',
          params: ofMigration,
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await fullAppOf(context, request);
        await migrations.stopVerifying(await migrationOf(context, request));
        return reply.status(204).send(null);
      },
    );
  };
}
