import type { FastifyDynamicSwaggerOptions } from '@fastify/swagger';

type Document = Parameters<NonNullable<FastifyDynamicSwaggerOptions['transformObject']>>[0];

const text = { type: 'string' } as const;
const messages = { type: 'array', items: text } as const;
const coded = objectOf({ error: text, code: text });

/** What any operation may answer instead of what it is for, in the shapes of `errors.ts`. */
const errors = {
  400: response('The request is not understood', coded),
  401: response('No valid credentials', objectOf({ error: text })),
  403: response('Not allowed to this user', coded),
  404: response('Not there, or not for this user', objectOf({ resource: text, error: text })),
  409: response('Not possible now; `code` is a word for programs', coded),
  422: response(
    'Fields with values that cannot be accepted',
    objectOf({ errors: { type: 'object', additionalProperties: messages } as const }),
  ),
  429: response('Too many requests', coded, true),
  503: response('A region cannot be reached', coded, true),
};

/** The errors, once, as components of the OpenAPI document. */
export const errorComponents = Object.fromEntries(
  Object.entries(errors).map(([status, error]) => [`Error${status}`, error]),
);

/** Names the errors among the responses of every operation. */
export function documentErrors(document: Document) {
  if (!('openapiObject' in document)) return document.swaggerObject;
  for (const item of Object.values(document.openapiObject.paths ?? {})) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const responses = item?.[method]?.responses ?? {};
      for (const status of Object.keys(errors)) {
        responses[status] = { $ref: `#/components/responses/Error${status}` };
      }
    }
  }
  return document.openapiObject;
}

function objectOf<T extends object>(properties: T) {
  const required = Object.keys(properties);
  return { type: 'object', properties, required, additionalProperties: false } as const;
}

function response<T extends object>(description: string, schema: T, isTemporary = false) {
  const retryAfter = { description: 'Seconds to wait', schema: { type: 'integer' } } as const;
  return {
    description,
    ...(isTemporary && { headers: { 'Retry-After': retryAfter } }),
    content: { 'application/json': { schema } },
  };
}
