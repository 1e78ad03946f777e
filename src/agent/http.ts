import { createHash, timingSafeEqual } from 'node:crypto';
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { z } from 'zod';
import { id } from '../region/model.js';
import { isVerbName, type VerbName, verbNamed } from '../region/region.js';
import { Refusal, statusOf } from '../shared/errors.js';
import type { Logger } from '../shared/logging.js';
import type { Deployments } from './apps/deployments.js';
import type { Sources } from './builds/sources.js';
import { Turns } from './turns.js';
import type { Behalf, Performs } from './verbs.js';

export interface HttpParts {
  readonly performs: Performs<VerbName>;
  readonly deployments: Deployments;
  readonly sources: Sources;
  /** What the control plane proves itself with. */
  readonly token: string;
  readonly logger: Logger;
}

const behalf = z.uuid().optional();
const turn = z.coerce.number().int().optional();

/** The region protocol over HTTP: `POST /v1/<verb>` with JSON, an archive in, and a build out. */
export function buildHttp(parts: HttpParts): FastifyInstance {
  const loggerInstance: FastifyBaseLogger = parts.logger;
  const app = fastify({
    loggerInstance,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 4 * 1024 ** 2,
    forceCloseConnections: true,
    requestTimeout: 0, // a verb may take its time
  });
  app.setErrorHandler((error, _, reply) => answerError(error, reply, parts.logger));
  app.setNotFoundHandler(() => {
    throw Refusal.notFound('Route', 'The region protocol has no such route.');
  });
  const guard = async (request: FastifyRequest) => {
    if (!same(bearer(request), parts.token)) {
      throw new Refusal('unauthorized', 'Only the control plane of this region is let in.');
    }
  };

  const turns = new Turns();

  app.get('/healthz', async () => ({ status: 'ok' }));

  app.post<{ Params: { verb: string } }>(
    '/v1/:verb',
    { preHandler: guard },
    async (request, reply) => {
      const { verb } = request.params;
      if (!isVerbName(verb)) throw Refusal.notFound('Verb', `The region knows no verb "${verb}".`);
      const by = behalf.safeParse(request.headers['godwit-migration']);
      if (!by.success) throw new Refusal('bad-request', 'godwit-migration must be a UUID.');
      const now = turn.safeParse(request.headers['godwit-turn']);
      if (!now.success) throw new Refusal('bad-request', 'godwit-turn must be a whole number.');
      if (by.data !== undefined && now.data !== undefined) turns.take(by.data, now.data);
      const output = await perform(parts.performs, verb, request.body, by.data ?? null);
      return reply.type('application/json').send(JSON.stringify(output));
    },
  );

  app.get<{ Params: { app: string } }>('/v1/builds/:app', async (request, reply) => {
    const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? '') ?? [];
    if (start === undefined) throw new Refusal('bad-request', 'Say from which byte on.');
    const { app } = request.params;
    const build = await parts.deployments.openBuild(app, bearer(request), Number(start));
    return reply.status(206).type('application/gzip').send(build);
  });

  app.register(async (uploads) => {
    uploads.removeAllContentTypeParsers();
    uploads.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
    uploads.put<{ Params: { source: string } }>(
      '/v1/sources/:source',
      { preHandler: guard },
      async (request) => {
        const source = id.safeParse(request.params.source);
        if (!source.success) throw new Refusal('bad-request', 'That is no id of a source.');
        await parts.sources.store(source.data, request.raw);
        return 'null';
      },
    );
  });
  return app;
}

/** Checks what a verb was given, and performs it. */
async function perform<V extends VerbName>(
  performs: Performs<VerbName>,
  name: V,
  body: unknown,
  by: Behalf,
): Promise<unknown> {
  const input = verbNamed(name).input.safeParse(body);
  if (!input.success) {
    throw new Refusal('bad-request', `${name}: ${z.prettifyError(input.error)}`);
  }
  return performs[name](input.data, by);
}

function bearer(request: FastifyRequest): string {
  return /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
}

/** Compares digests, so that the time it takes tells nothing. */
function same(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(wanted));
}

function answerError(error: unknown, reply: FastifyReply, logger: Logger): void {
  if (error instanceof Refusal) {
    const { kind, message, details } = error;
    reply.status(statusOf[kind]).send({ kind, message, details });
    return;
  }
  if (error instanceof Error && 'statusCode' in error && Number(error.statusCode) < 500) {
    reply
      .status(Number(error.statusCode))
      .send({ kind: 'bad-request', message: error.message, details: {} });
    return;
  }
  logger.error({ err: error }, 'a verb failed');
  const message = 'The region failed at this; its log says how.';
  reply.status(500).send({ kind: 'internal', message, details: {} });
}
