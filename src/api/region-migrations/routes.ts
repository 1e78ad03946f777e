import { type FastifyPluginAsyncZod, validatorCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { phases } from '../../migration/migration.js';
import { userOf } from '../auth/authenticate.js';
import { type ApiContext, type Asking, appOf, fullAppOf, requireOwner } from '../context.js';
import { createBody, readCreateRequest } from './dialect.js';
import { migrationEventRoutes } from './events.js';
import { migrationOf, ofApp, ofMigration } from './migration-of.js';
import { planShape, presentPlan } from './plan-shape.js';
import { migrationShape, presentMigration } from './presenter.js';
import { presentReport, reportShape } from './switch-shape.js';
import { verificationRoutes } from './verification-routes.js';

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

    app.get(
      '/apps/:app/region_migrations/:id/report',
      {
        schema: {
          tags,
          summary: 'Tell how the switches of a migration went',
          description:
            'How long requests waited, what that time went to, and what the edge saw in each second around it.',
          params: ofMigration,
          response: { 200: reportShape },
        },
      },
      async (request) => {
        const migration = await migrationOf(context, request);
        return presentReport(migration, await migrations.traffic(migration));
      },
    );

    app.post(
      '/apps/:app/region_migrations/:id/run',
      {
        schema: {
          tags,
          summary: 'Run a phase of a migration, or abort it',
          params: ofMigration,
          headers: mayRepeat,
          body: z.object({
            step: z.enum(phases),
            remove_source: z
              .boolean()
              .default(false)
              .describe('For `complete`: removes the source application; by its owner'),
          }),
          response: { 204: z.null() },
        },
      },
      async (request, reply) => {
        const { app } = await fullAppOf(context, request);
        const { step, remove_source: removeSource } = request.body;
        if (removeSource) requireOwner(request, app);
        const key = request.headers['idempotency-key'] ?? null;
        await migrations.run(await migrationOf(context, request), step, { key, removeSource });
        return reply.status(204).send(null);
      },
    );

    await app.register(createRoutes(context));
    await app.register(migrationEventRoutes(context));
    await app.register(verificationRoutes(context));
  };
}

/** Who asks for a migration, of which app, and how. */
interface CreateAsking extends Asking {
  readonly params: z.infer<typeof ofApp>;
  readonly body: unknown;
}

/** Apart, since their body may be no JSON. */
function createRoutes(context: ApiContext): FastifyPluginAsyncZod {
  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'string' }, (_request, text, done) => {
      done(null, text);
    });
    // The schema of the body is for reading; the two dialects are told apart below.
    app.setValidatorCompiler<z.ZodType>((part) =>
      part.httpPart === 'body' ? (value) => ({ value }) : validatorCompiler(part),
    );
    const wantedBy = async (request: CreateAsking, idempotencyKey: string | null) => {
      const { app, region } = await fullAppOf(context, request);
      const wanted = readCreateRequest(typeof request.body === 'string' ? request.body : '');
      const { destination, dstAppName, verify, upgrade, isDocumentedForm } = wanted;
      const user = userOf(request);
      const where = { source: region.name, destination, dstAppName: dstAppName || null };
      return {
        migration: { app, user, ...where, verify, upgrade, idempotencyKey },
        isDocumentedForm,
      };
    };
    app.post(
      '/apps/:app/region_migrations/plan',
      {
        schema: {
          tags,
          summary: 'Tell what a migration would do, and whether it can; nothing is changed',
          description: 'Runs every check of preflight and asks every other step what it would do.',
          params: ofApp,
          body: createBody,
          response: { 200: planShape },
        },
      },
      async (request) => {
        const { migration } = await wantedBy(request, null);
        return presentPlan(await context.migrations.plan(migration));
      },
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
        const key = request.headers['idempotency-key'] ?? null;
        const wanted = await wantedBy(request, key);
        const shown = presentMigration(await context.migrations.create(wanted.migration));
        return reply.status(201).send(wanted.isDocumentedForm ? [shown] : shown);
      },
    );
  };
}
