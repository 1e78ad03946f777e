import rateLimit from '@fastify/rate-limit';
import { fastifySSE } from '@fastify/sse';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import fp from 'fastify-plugin';
import { serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { Refusal } from '../shared/errors.js';
import { countedUnder, identify, requireLogin } from './auth/authenticate.js';
import { tokenRoutes } from './auth/token-routes.js';
import { type ApiContext, regionOf } from './context.js';
import { answerError, noRoute } from './errors.js';
import { readJson, requireText } from './json.js';
import { answerMalformed } from './malformed.js';
import { openapi } from './openapi/document.js';
import { accountRoutes } from './platform/account.js';
import { addonRoutes } from './platform/addons.js';
import { alertRoutes } from './platform/alerts.js';
import { appRoutes } from './platform/apps.js';
import { autoscalerRoutes } from './platform/autoscalers.js';
import { catalogueRoutes } from './platform/catalogue.js';
import { collaboratorRoutes } from './platform/collaborators.js';
import { containerRoutes } from './platform/containers.js';
import { deploymentRoutes } from './platform/deployments.js';
import { domainRoutes } from './platform/domains.js';
import { eventRoutes } from './platform/events.js';
import { logDrainRoutes } from './platform/log-drains.js';
import { logLineRoutes, logRoutes } from './platform/logs.js';
import { notifierRoutes } from './platform/notifiers.js';
import { operationRoutes } from './platform/operations.js';
import { scmLinkRoutes } from './platform/scm-link.js';
import { sourceRoutes, uploadRoutes } from './platform/sources.js';
import { variableRoutes } from './platform/variables.js';
import { regionMigrationRoutes } from './region-migrations/routes.js';
import { letWebSocketsIn } from './web-sockets.js';

export interface ApiOptions {
  /** Requests a minute that one token, or one address without a token, may make. */
  readonly requestsPerMinute: number;
  /** Whether what the API stands on works. @throws when it does not */
  readonly checkHealth: () => Promise<void>;
}

const anyRegion = '/regions/:region/v1';

/** The public HTTP API. `/v1` addresses the default region, `/regions/<name>/v1` any. */
export async function buildApi(context: ApiContext, options: ApiOptions): Promise<FastifyInstance> {
  const loggerInstance: FastifyBaseLogger = context.logger;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 ** 2,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 200 },
    clientErrorHandler: answerMalformed,
    frameworkErrors: (error, request, reply) => {
      const answer = (what: unknown) => answerError(what, reply, context.logger);
      count.call(app, request, reply).then(() => answer(error), answer);
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler((error, _, reply) => answerError(error, reply, context.logger));
  app.setNotFoundHandler((request) => noRoute(request));
  identify(app, context.accounts, context.signer);
  await app.register(rateLimit, {
    global: false,
    max: options.requestsPerMinute,
    timeWindow: 60_000,
    keyGenerator: countedUnder,
    errorResponseBuilder: (_, { after }) =>
      new Refusal('too-many', `Too many requests. Try again in ${after}.`),
  });
  const count = app.rateLimit();
  // Whatever is answered, also where there is no route.
  app.addHook('onRequest', count);
  app.decorateRequest('region', context.registry.default);
  app.addHook('onRequest', async (request) => {
    const { params } = request;
    if (typeof params === 'object' && params !== null && 'region' in params) {
      request.region = String(params.region);
    }
  });
  app.addHook('onRequest', async ({ url }) => requireText(url.replaceAll('%00', '\0'), 'address'));
  readJsonWhateverItsType(app);

  await app.register(fp(fastifySSE), { heartbeatInterval: 15_000 });
  await letWebSocketsIn(app);
  await app.register(swagger, openapi(context.registry, anyRegion));

  app.get('/healthz', { schema: { hide: true } }, async () => {
    await options.checkHealth();
    return { status: 'ok' };
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  app.get('/.well-known/jwks.json', { schema: { hide: true } }, async (_, reply) =>
    reply.type('application/json').send(await context.signer.published()),
  );
  await app.register(swaggerUi, { routePrefix: '/docs' });

  for (const prefix of ['/v1', anyRegion]) {
    await app.register(
      async (api) => {
        api.addHook('preParsing', async (request) => void regionOf(context, request));
        await api.register(uploadRoutes(context));
        await api.register(logLineRoutes(context));
        await api.register(catalogueRoutes(context));
        await api.register(async (guarded) => {
          requireLogin(guarded);
          await guarded.register(accountRoutes(context));
          await guarded.register(tokenRoutes(context));
          await guarded.register(appRoutes(context));
          await guarded.register(eventRoutes(context));
          await guarded.register(variableRoutes(context));
          await guarded.register(containerRoutes(context));
          await guarded.register(operationRoutes(context));
          await guarded.register(logRoutes(context));
          await guarded.register(sourceRoutes(context));
          await guarded.register(deploymentRoutes(context));
          await guarded.register(addonRoutes(context));
          await guarded.register(domainRoutes(context));
          await guarded.register(collaboratorRoutes(context));
          await guarded.register(notifierRoutes(context));
          await guarded.register(alertRoutes(context));
          await guarded.register(autoscalerRoutes(context));
          await guarded.register(logDrainRoutes(context));
          await guarded.register(scmLinkRoutes(context));
          await guarded.register(regionMigrationRoutes(context));
        });
      },
      { prefix },
    );
  }
  return app;
}

/** `curl -d` calls JSON a form; nobody sends this API anything but JSON. */
function readJsonWhateverItsType(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, async (_request: unknown, text: string) =>
    text === '' ? undefined : readJson(text),
  );
}
