import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type Migration, phases } from '../../migration/migration.js';
import { Refusal } from '../../shared/errors.js';
import { type ApiContext, type Asking, appOf } from '../context.js';
import { createBody, readCreateRequest } from './dialect.js';
import { migrationShape, presentMigration } from './presenter.js';

const tags = ['Region migrations'];
const ofApp = z.object({ app: z.string() });
const ofMigration = ofApp.extend({ id: z.string() });

/** The Region Migrations API. */
export function regionMigrationRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { migrations } = context;

  async function migrationOf(
    request: Asking & { readonly params: { readonly app: string; readonly id: string } },
  ): Promise<Migration> {
    const { app } = await appOf(context, request);
    const found = await migrations.find(app.id, request.params.id);
    if (found) return found;
    const what = `${app.name} has no migration ${request.params.id}. List them to see their ids.`;
    throw Refusal.notFound('RegionMigration', what);
  }

  return async (app) => {
    app.get(
      '/apps/:app/region_migrations',
      {
        schema: {
          tags,
          summary: 'List the migrations of an application, newest first',
          params: ofApp,
          response: { 200: z.array(migrationShape) },
        },
      },
      async (request) => {
        const found = await appOf(context, request);
        return (await migrations.list(found.app.id)).map(presentMigration);
      },
    );

    app.get(
      '/apps/:app/region_migrations/:id',
      {
        schema: {
          tags,
          summary: 'Show a migration',
          params: ofMigration,
          response: { 200: migrationShape },
        },
      },
      async (request) => presentMigration(await migrationOf(request)),
    );

    app.post(
      '/apps/:app/region_migrations/:id/run',
      {
        schema: {
          tags,
          summary: 'Run a phase of a migration, or abort it',
          params: ofMigration,
          body: z.object({ step: z.enum(phases) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await migrations.run(await migrationOf(request), request.body.step);
        return reply.status(204).send(null);
      },
    );

    await app.register(createRoute(context));
  };
}

/** Apart, since its body may be no JSON. */
function createRoute(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
      done(null, text);
    });
    app.post(
      '/apps/:app/region_migrations',
      {
        schema: {
          tags,
          summary: 'Create a migration; its preflight begins at once',
          params: ofApp,
          body: createBody,
          response: { 201: z.union([migrationShape, z.array(migrationShape)]) },
        },
        // The schema is for reading; the two dialects are told apart below.
        validatorCompiler: () => (value: unknown) => ({ value }),
      },
      async (request, reply) => {
        const { app: source, region } = await appOf(context, request);
        const body: unknown = request.body;
        const wanted = readCreateRequest(typeof body === 'string' ? body : '');
        const migration = await context.migrations.create({
          app: source,
          source: region.name,
          destination: wanted.destination,
          dstAppName: wanted.dstAppName || source.name,
        });
        const shown = presentMigration(migration);
        return reply.status(201).send(wanted.isDocumentedForm ? [shown] : shown);
      },
    );
  };
}
