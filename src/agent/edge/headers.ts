import { type IncomingMessage, validateHeaderName, validateHeaderValue } from 'node:http';
import type { Inbound } from './inbound.js';
import { type Provenance, tell, toldHeader } from './provenance.js';
import { withoutStickyCookie } from './sticky.js';

/** With this header one edge tells another, by a token, which app a request is for. */
export const forwardHeader = 'godwit-forward';

/** Headers between two neighbours only (RFC 9110, section 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** What this edge alone may say. */
const ours = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-host',
  'x-request-id',
  toldHeader,
  forwardHeader,
]);

/** What says how long a message is, or where it goes. A neighbour may not have that left out on the way. */
const lasting = new Set(['content-length', 'host', 'trailer', 'transfer-encoding']);

/** What means something before the content only (RFC 9110, section 6.5.1). */
const leading = new Set([
  ...['authorization', 'cache-control', 'content-encoding', 'content-range', 'content-type'],
  ...[
    'cookie',
    'expect',
    'forwarded',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'if-range',
  ],
  ...['if-unmodified-since', 'location', 'max-forwards', 'pragma', 'proxy-authenticate'],
  ...['proxy-authorization', 'range', 'set-cookie', 'www-authenticate'],
]);

/** Whether a header, in lower case, is for the next neighbour only. */
export function isHopByHop(name: string): boolean {
  return hopByHop.has(name);
}

/** The headers that a message names as being for the next neighbour only. */
function named(connection: string | undefined): string[] {
  const names = (connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return names.filter((name) => !lasting.has(name));
}

/** Whether a message comes in chunks, which alone can have trailers after them. */
function isChunked({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined;
}

/** Whether an answer is without content by its status, so that a length of it is wrong (RFC 9110, section 8.6). */
function hasNoContent({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode < 200 || statusCode === 204;
}

/**
 * The headers of a request as the app, or the next edge, gets them.
 * @param token by which the next edge knows the app; null for the app itself
 */
export function requestHeaders(
  request: Inbound,
  { provenance, token }: { provenance: Provenance; token: string | null },
): Record<string, string | string[]> {
  const left = new Set([...hopByHop, ...named(request.headers['connection']?.join()), 'expect']);
  const headers: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(request.headers)) {
    if (left.has(name) || ours.has(name) || values === undefined) continue;
    const [only] = values;
    headers[name] = values.length === 1 && only !== undefined ? only : [...values];
  }
  if (request.host !== undefined) headers['host'] = request.host;
  // What has no length of its own would be read as the next request.
  if (request.isChunked || (request.hasBody && headers['content-length'] === undefined)) {
    delete headers['content-length'];
    headers['transfer-encoding'] = 'chunked';
  } else delete headers['trailer'];
  headers['x-forwarded-for'] = provenance.address;
  headers['x-forwarded-proto'] = provenance.scheme;
  headers['x-forwarded-port'] = provenance.port;
  headers['x-forwarded-host'] = provenance.host;
  headers['x-request-id'] = provenance.requestId;
  if (token !== null) return { ...headers, [toldHeader]: tell(provenance), [forwardHeader]: token };
  if (headers['cookie'] === undefined) return headers;
  const cookie = withoutStickyCookie(headers['cookie']);
  if (cookie === null) delete headers['cookie'];
  else headers['cookie'] = cookie;
  return headers;
}

/**
 * The headers of a response as the client gets them: names and values in turn, as they came.
 * @param takesChunks whether the response goes on in chunks
 */
export function responseHeaders(response: IncomingMessage, takesChunks: boolean): string[] {
  const left = new Set([...hopByHop, ...named(response.headers.connection)]);
  if (!takesChunks || !isChunked(response)) left.add('trailer');
  if (hasNoContent(response)) left.add('content-length');
  const headers: string[] = [];
  for (let at = 0; at < response.rawHeaders.length; at += 2) {
    const [name, value] = [response.rawHeaders[at] ?? '', response.rawHeaders[at + 1] ?? ''];
    if (!left.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}

/** The trailers of a message that may be passed on: none that would be taken for one of its headers. */
export function trailersOf(given: NodeJS.Dict<string>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if ([hopByHop, ours, lasting, leading].some((names) => names.has(name))) continue;
    if (value !== undefined && isValid(name, value)) kept[name] = value;
  }
  return kept;
}

/** HTTP/2 lets more through than HTTP/1 has a place for. */
function isValid(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
