import type { FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { Refusal, statusOf } from '../shared/errors.js';
import type { Logger } from '../shared/logging.js';

/** Seconds after which something unavailable may be asked for again. */
const retryAfter = 2;

/** Answers with an error in the shape that the platform API has for its status. */
export function answerError(error: unknown, reply: FastifyReply, logger: Logger): void {
  if (error instanceof Refusal) {
    const wait = error.details.retryAfter ?? (error.kind === 'unavailable' ? retryAfter : null);
    if (wait !== null) reply.header('retry-after', wait);
    if (error.kind === 'unauthorized') reply.header('www-authenticate', 'Basic realm="godwit"');
    reply.status(statusOf[error.kind]).send(bodyOf(error));
  } else if (hasZodFastifySchemaValidationErrors(error)) {
    const errors: Record<string, string[]> = {};
    for (const { instancePath, message } of error.validation) {
      const field = instancePath.split('/').filter(Boolean).at(-1) ?? 'body';
      errors[field] = [...(errors[field] ?? []), message ?? 'is not valid'];
    }
    reply.status(422).send({ errors });
  } else if (isClientError(error)) {
    reply.status(error.statusCode).send({ error: error.message, code: codeOf(error.statusCode) });
  } else {
    logger.error({ err: error }, 'a request failed');
    reply.status(500).send({ error: 'Godwit failed at this. Its log says how; try again later.' });
  }
}

/** What is answered for an address that the API does not have. */
export function noRoute(request: FastifyRequest): never {
  const what = `There is no ${request.method} ${request.url.split('?')[0]}. See /openapi.json for what there is.`;
  throw Refusal.notFound('Route', what);
}

function bodyOf({ kind, message, details }: Refusal): object {
  switch (kind) {
    case 'unauthorized':
      return { error: message };
    case 'not-found':
      return { resource: details.resource ?? 'Resource', error: message };
    case 'invalid':
      return { errors: details.fields ?? { base: [message] } };
    default:
      return { error: message, code: details.code ?? codeOf(statusOf[kind]) };
  }
}

function codeOf(status: number): string {
  const codes: Record<number, string> = {
    400: 'bad_request',
    403: 'forbidden',
    409: 'conflict',
    413: 'too_large',
    414: 'uri_too_long',
    415: 'unsupported_media_type',
    429: 'too_many_requests',
    503: 'unavailable',
  };
  return codes[status] ?? 'error';
}

function isClientError(error: unknown): error is Error & { statusCode: number } {
  if (!(error instanceof Error) || !('statusCode' in error)) return false;
  const { statusCode } = error;
  return typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500;
}
