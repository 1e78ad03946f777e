import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

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
const ours = [
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-host',
  'x-request-id',
  forwardHeader,
];

function named(connection: string | undefined): string[] {
  return (connection ?? '').split(',').map((name) => name.trim().toLowerCase());
}

/** Whether a message comes in chunks, which alone can have trailers after them. */
function isChunked({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined;
}

/** The headers of a request as the app, or the next edge, gets them. */
export function requestHeaders(
  request: IncomingMessage,
  { trusted, token }: { trusted: boolean; token: string | null },
): Record<string, string | string[]> {
  const left = new Set([...hopByHop, ...named(request.headers.connection), 'expect']);
  const headers: Record<string, string | string[]> = {};
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (left.has(name) || name === forwardHeader || values === undefined) continue;
    if (!trusted && ours.includes(name)) continue;
    const [only] = values;
    headers[name] = values.length === 1 && only !== undefined ? only : values;
  }
  if (request.headers.host !== undefined) headers['host'] = request.headers.host;
  if (isChunked(request)) headers['transfer-encoding'] = 'chunked';
  else delete headers['trailer'];
  headers['x-forwarded-for'] ??= request.socket.remoteAddress ?? '';
  headers['x-forwarded-proto'] ??= 'http';
  headers['x-forwarded-port'] ??= String(request.socket.localPort ?? '');
  headers['x-forwarded-host'] ??= request.headers.host ?? '';
  headers['x-request-id'] ??= randomUUID();
  if (token !== null) headers[forwardHeader] = token;
  return headers;
}

/**
 * The headers of a response as the client gets them: names and values in turn, as they came.
 * @param takesChunks whether the response goes on in chunks
 */
export function responseHeaders(response: IncomingMessage, takesChunks: boolean): string[] {
  const left = new Set([...hopByHop, ...named(response.headers.connection)]);
  if (!takesChunks || !isChunked(response)) left.add('trailer');
  const headers: string[] = [];
  for (let at = 0; at < response.rawHeaders.length; at += 2) {
    const [name, value] = [response.rawHeaders[at] ?? '', response.rawHeaders[at + 1] ?? ''];
    if (!left.has(name.toLowerCase())) headers.push(name, value);
  }
  return headers;
}
