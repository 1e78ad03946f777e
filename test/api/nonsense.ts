import fc from 'fast-check';
import { z } from 'zod';
import { jsonSchemaOf, type Operation, type Schema } from './openapi.js';

/** A request as it goes over the wire. */
export interface Nonsense {
  readonly method: string;
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array | null;
}

const nasty = [
  ...['', ' ', '\0', '../../etc/passwd', "'; DROP TABLE migrations; --", '$(id)'],
  ...[
    '__proto__',
    'constructor',
    'null',
    'NaN',
    '-1',
    '1e999',
    '🐦\u202e',
    '\ud800',
    'a'.repeat(3e3),
  ],
  ...[
    'http://127.0.0.1:1/',
    'file:///etc/passwd',
    '2023-05-23T09:30:51.305Z',
    '%00',
    'x@example.org',
  ],
];
const nastySegments = [
  ...['..', '.', '%2e%2e%2f', '..%2f..%2fetc', '%00', '%', '%zz', '%ff%fe', '*', '-', '0', '{app}'],
  ...['a'.repeat(250), '%f0%9f%90%a6', ';', '__proto__', '0'.repeat(24), ':id', '%0d%0aX:%20y'],
  '00000000-0000-0000-0000-000000000000',
];
const octets = fc.uint8Array({ minLength: 1, maxLength: 64 });

/**
 * Requests for an operation, from nearly right to not even HTTP's idea of a JSON body.
 * @param known values of path parameters that mean something to the server
 * @param credentials values of the `authorization` header
 */
export function nonsenseFor(
  operation: Operation,
  known: Readonly<Record<string, readonly string[]>>,
  credentials: { right: string; wrong: readonly string[] },
): fc.Arbitrary<Nonsense> {
  const words = [...Object.values(known).flat(), 'web', 'host', 'webhook'];
  const text = fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...words) },
    { weight: 2, arbitrary: fc.constantFrom(...nasty) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  );
  const segment = (name: string) =>
    fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom(...(known[name] ?? words)) },
      { weight: 2, arbitrary: fc.constantFrom(...nastySegments) },
      { weight: 1, arbitrary: fc.string().map(encodeURIComponent) },
    );
  const names = [...operation.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const seldom = (arbitrary: fc.Arbitrary<string>) =>
    fc.oneof({ weight: 6, arbitrary: fc.constant('') }, { weight: 1, arbitrary });
  return fc
    .record({
      region: seldom(fc.oneof(fc.constantFrom('here', 'there', 'nowhere'), segment('region'))),
      segments: fc.tuple(...names.map(segment)),
      tail: seldom(fc.constantFrom('/', '//', '/..', '/%2e%2e', '/x', '?', '#')),
      query: queryFor(operation, text),
      method: fc.oneof(
        { weight: 12, arbitrary: fc.constant<string>(operation.method) },
        {
          weight: 1,
          arbitrary: fc.constantFrom('GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE', 'PUT'),
        },
      ),
      headers: headersFor(credentials),
      body: bodyFor(operation, text),
    })
    .map(({ region, segments, tail, query, method, headers, body }) => {
      const rest = [...segments];
      const filled = operation.path.replaceAll(/\{\w+\}/g, () => rest.shift() ?? 'x');
      const base = region === '' ? filled : `/regions/${region}${filled}`;
      const asked = `${base}${tail}${query === '' ? '' : `?${query}`}`;
      const hasBody = method !== 'GET' && method !== 'HEAD';
      return { method, path: asked, headers, body: hasBody ? body : null };
    });
}

function queryFor({ parameters }: Operation, text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
  const name = fc.constantFrom(...names, 'page', 'x[]', '__proto__', '');
  const pair = fc
    .tuple(name, text.map(wellFormed))
    .map((pair) => pair.map(encodeURIComponent).join('='));
  const raw = fc.constantFrom('%', '%zz=%ff', '&&&', 'token', 'page=1&page=2', '=');
  const many = fc.array(fc.oneof({ weight: 6, arbitrary: pair }, { weight: 1, arbitrary: raw }), {
    maxLength: 4,
  });
  return many.map((pairs) => pairs.join('&'));
}

function headersFor({ right, wrong }: { right: string; wrong: readonly string[] }) {
  const visible = fc.string({ maxLength: 300 }).map((text) => text.trim());
  const type = [
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'x',
    'multipart/form-data',
  ];
  return fc.record(
    {
      authorization: fc.oneof(
        { weight: 30, arbitrary: fc.constant(right) },
        { weight: 1, arbitrary: fc.oneof(fc.constantFrom(...wrong), visible) },
      ),
      'content-type': fc.oneof(
        { weight: 3, arbitrary: fc.constant('application/json') },
        { weight: 1, arbitrary: fc.oneof(fc.constantFrom(...type), visible) },
      ),
      accept: fc.oneof(fc.constantFrom('*/*', 'text/plain', 'text/event-stream', 'x'), visible),
      'idempotency-key': fc.oneof(visible, fc.constantFrom('', 'one', 'k'.repeat(256), 'ÿ')),
      'last-event-id': fc.oneof(visible, fc.constantFrom('-1', '1', '9007199254740993', '1e9')),
      'x-forwarded-for': visible,
      'x-forwarded-host': visible,
      'accept-encoding': fc.constantFrom('gzip', 'br', 'identity;q=0'),
      range: fc.constant('bytes=0-9'),
    },
    { requiredKeys: ['authorization'] },
  );
}

function bodyFor(operation: Operation, text: fc.Arbitrary<string>) {
  const schema = jsonSchemaOf(operation.requestBody);
  const near = schema ? like(schema, text) : fc.jsonValue();
  const json = near.map((value) => JSON.stringify(value));
  return fc.oneof(
    { weight: 12, arbitrary: json },
    { weight: 1, arbitrary: json.map((text) => text.slice(0, -1)) },
    { weight: 2, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('', 'null', '[]', '"', '['.repeat(5e4), '{"__proto__":{"a":1}}'),
    },
    { weight: 1, arbitrary: text.map(wellFormed) },
    { weight: 1, arbitrary: octets },
  );
}

const shape = z.looseObject({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  enum: z.array(z.unknown()).optional(),
  const: z.unknown().optional(),
  anyOf: z.array(z.record(z.string(), z.unknown())).optional(),
  oneOf: z.array(z.record(z.string(), z.unknown())).optional(),
  properties: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  items: z.record(z.string(), z.unknown()).optional(),
});

/** Values that mostly look as a schema says, and here and there do not. */
function like(schema: Schema, text: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 8, arbitrary: fitting(schema, text) },
    { weight: 1, arbitrary: fc.oneof(fc.jsonValue(), text) },
  );
}

function fitting(schema: Schema, text: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  const { type, enum: values, const: value, anyOf, oneOf, properties, items } = shape.parse(schema);
  const choices = anyOf ?? oneOf;
  if (values) return fc.constantFrom(...values);
  if (value !== undefined) return fc.constant(value);
  if (choices) return fc.oneof(...choices.map((choice) => like(choice, text)));
  switch (Array.isArray(type) ? type[0] : type) {
    case 'object': {
      const fields = Object.entries(properties ?? {}).map(([name, field]) => [
        name,
        like(field, text),
      ]);
      const known: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(fields);
      return fc.oneof(
        { weight: 4, arbitrary: fc.record(known) },
        { weight: 1, arbitrary: fc.record({ ...known, extra: text }, { requiredKeys: [] }) },
      );
    }
    case 'array':
      return fc.array(like(items ?? {}, text), { maxLength: 3 });
    case 'boolean':
      return fc.boolean();
    case 'number':
    case 'integer':
      return fc.oneof(fc.integer({ min: -2, max: 30 }), fc.double(), fc.maxSafeInteger());
    case 'null':
      return fc.constant(null);
    default:
      return text;
  }
}

/** Half a surrogate pair is no text that goes over a wire. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
