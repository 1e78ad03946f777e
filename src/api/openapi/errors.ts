const text = { type: 'string' } as const;
const messages = { type: 'array', items: text } as const;

/** What an operation may answer instead of what it is for, in the shapes of `../errors.ts`. */
const errors = {
  400: coded(
    'The request is not understood',
    'bad_request',
    'The body is not JSON. Send a JSON object.',
  ),
  401: response('No valid credentials', {
    ...{ properties: { error: text }, example: { error: 'Log in with an API token.' } },
  }),
  403: coded('Not allowed to this user', 'forbidden', 'Your access to heron is limited.'),
  404: response('Not there, or not for this user', {
    properties: { resource: text, error: text },
    example: { resource: 'App', error: 'There is no application "heron" on osc-fr1.' },
  }),
  409: coded(
    'Not possible now; `code` is a word for programs',
    ...(['frozen', 'heron is frozen by a migration. Wait for its end, or abort it.'] as const),
  ),
  413: coded('The body is too large', 'too_large', 'Request body is too large'),
  414: coded(
    'A part of the address is too long',
    'uri_too_long',
    "'/v1/apps/…' is exceeding the max param length",
  ),
  415: coded('The content type is none', 'unsupported_media_type', 'Unsupported Media Type'),
  422: response('Fields with values that cannot be accepted', {
    properties: { errors: { type: 'object', additionalProperties: messages } as const },
    example: { errors: { name: ['is taken on osc-fr1. Choose another.'] } },
  }),
  429: coded(
    'Too many requests',
    'too_many_requests',
    'Too many requests. Try again in 12 s.',
    true,
  ),
  500: response('A fault of the server', {
    properties: { error: text },
    example: { error: 'Godwit failed at this. Its log says how; try again later.' },
  }),
  503: coded(
    'A region cannot be reached',
    'unavailable',
    'Region osc-fr1 cannot be reached.',
    true,
  ),
};

/** The errors, once, as components of the OpenAPI document. */
export const errorComponents = Object.fromEntries(
  Object.entries(errors).map(([status, error]) => [`Error${status}`, error]),
);

/** An operation of the OpenAPI document, as far as its errors follow from it. */
interface Operation {
  readonly security?: readonly object[];
  readonly requestBody?: object;
  readonly parameters?: readonly object[];
}

/** The errors that an operation may answer with, by their status. */
export function errorsOf(
  { security, requestBody, parameters = [] }: Operation,
  path: string,
): Record<string, { readonly $ref: string }> {
  const isOpen = security?.length === 0;
  // An address that is good for an hour proves by its token what others prove by logging in.
  const hasToken = parameters.some((one) => 'name' in one && one.name === 'token');
  const statuses = [
    ...[400, 404, 422, 429, 500, 503],
    ...(isOpen && !hasToken ? [] : [401]),
    ...(isOpen ? [] : [403, 409]),
    ...(requestBody ? [413, 415] : []),
    ...(path.includes('{') ? [414] : []),
  ].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/Error${status}` }]),
  );
}

function coded(description: string, code: string, error: string, isTemporary = false) {
  const properties = { error: text, code: text };
  return response(description, { properties, example: { error, code } }, isTemporary);
}

function response<T extends object>(
  description: string,
  { properties, example }: { properties: T; example: object },
  isTemporary = false,
) {
  const retryAfter = { description: 'Seconds to wait', schema: { type: 'integer' } } as const;
  const required = Object.keys(properties);
  const schema = { type: 'object', properties, required, additionalProperties: false } as const;
  return {
    description,
    ...(isTemporary && { headers: { 'Retry-After': retryAfter } }),
    content: { 'application/json': { schema, example } },
  };
}
