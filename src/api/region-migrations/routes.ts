import { type FastifyPluginAsyncZod, validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { phases } from '../../migration/migration.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, appOf, fullAppOf } from '../context.js';
import { createBody, readCreateRequest } from './dialect.js';
import { migrationEventRoutes } from './events.js';
import { migrationOf, ofApp, ofMigration } from './migration-of.js';
import { migrationShape, presentMigration } from './presenter.js';

const tags = ['Region migrations'];
/** With it, a client may send a request again without having it done twice. */
const mayRepeat = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

/** The Region Migrations API. */
export function regionMigrationRoutes(context: ApiContext): FastifyPluginAsyncZod {
  const { migrations } = context;

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
      async (request) => presentMigration(await migrationOf(context, request)),
    );

    app.post(
      '/apps/:app/region_migrations/:id/run',
      {
        schema: {
          tags,
          summary: 'Run a phase of a migration, or abort it',
          params: ofMigration,
          headers: mayRepeat,
          body: z.object({ step: z.enum(phases) }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        await fullAppOf(context, request);
        const key = request.headers['idempotency-key'] ?? null;
        await migrations.run(await migrationOf(context, request), request.body.step, key);
        return reply.status(204).send(null);
      },
    );

    await app.register(createRoute(context));
    await app.register(migrationEventRoutes(context));
  };
}

/** Apart, since its body may be no JSON. */
function createRoute(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
      done(null, text);
    });
    // The schema of the body is for reading; the two dialects are told apart below.
    app.setValidatorCompiler<z.ZodType>((part) =>
      part.httpPart === 'body' ? (value) => ({ value }) : validatorCompiler(part),
    );
    app.post(
      '/apps/:app/region_migrations',
      {
        schema: {
          tags,
          summary: 'Create a migration; its preflight begins at once',
          params: ofApp,
          headers: mayRepeat,
          body: createBody,
          response: { 201: z.union([migrationShape, z.array(migrationShape)]) },
        },
      },
      async (request, reply) => {
        const { app: source, region } = await fullAppOf(context, request);
        const body: unknown = request.body;
        const wanted = readCreateRequest(typeof body === 'string' ? body : '');
        const migration = await context.migrations.create({
          app: source,
          user: userOf(request),
          source: region.name,
          destination: wanted.destination,
          dstAppName: wanted.dstAppName || null,
          idempotencyKey: request.headers['idempotency-key'] ?? null,
        });
        const shown = presentMigration(migration);
        return reply.status(201).send(wanted.isDocumentedForm ? [shown] : shown);
      },
    );
  };
}
