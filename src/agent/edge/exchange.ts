import {
  Agent,
  type ClientRequest,
  type IncomingMessage,
  request,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream';
import type { Entrance, Target } from './entrance.js';
import { requestHeaders, responseHeaders } from './headers.js';

/**
 * Connections that are kept for later requests, for less long than those who accept them keep
 * them (an edge: 75 s; an app, by Node.js' default: 5 s).
 */
const kept = new Agent({ keepAlive: true, timeout: 4_000, maxFreeSockets: 256 });

/** What came of passing a request on. `unreached`: nothing of it was used, it may go elsewhere. */
export type Outcome = 'answered' | 'unreached' | 'broken';

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isRepeatable(incoming: IncomingMessage): boolean {
  return ['GET', 'HEAD', 'OPTIONS'].includes(incoming.method ?? '') && !hasBody(incoming);
}

/**
 * Passes one request to a target, and its answer back, both as they come. The body of the request
 * is not touched before the target is there to take it.
 */
export function exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  target: Target,
  parts: { entrance: Entrance; trusted: boolean; fresh: boolean },
): Promise<Outcome> {
  // Only a request that may be sent twice goes over a connection that may just be closing.
  const reuses = !parts.fresh && isRepeatable(incoming);
  const headers = requestHeaders(incoming, { trusted: parts.trusted, token: target.token });
  const upstream = request({
    host: target.host,
    port: target.port,
    method: incoming.method,
    path: incoming.url,
    // Not `close`: an app that answers before it has read everything would cut its answer off.
    headers: { ...headers, connection: 'keep-alive' },
    agent: reuses ? kept : false,
    setHost: false,
  });
  const done = target.token === null ? parts.entrance.begin() : () => undefined;
  upstream.once('close', done);
  const leave = () => upstream.destroy();
  outgoing.once('close', leave);

  return new Promise<Outcome>((resolve) => {
    let sent = false;
    let isAnswered = false;
    upstream.once('socket', (socket) => {
      const send = () => {
        sent = true;
        sendBody(incoming, outgoing, upstream);
      };
      if (socket.connecting) socket.once('connect', send);
      else send();
    });
    upstream.on('error', () => {
      if (isAnswered) return; // how the answer ends is what counts
      outgoing.off('close', leave);
      const unused = !sent || (isRepeatable(incoming) && upstream.reusedSocket);
      resolve(unused ? 'unreached' : 'broken');
    });
    upstream.once('response', (answer) => {
      isAnswered = true;
      // A stream of events has no end to wait for.
      if (answer.headers['content-type']?.startsWith('text/event-stream')) done();
      try {
        sendAnswer(incoming, answer, outgoing, () => {
          // What the app did not care to read, the client still wants to be rid of.
          incoming.unpipe(upstream).resume();
          resolve('answered');
        });
      } catch {
        upstream.destroy();
        resolve('broken'); // what it answered is no HTTP
      }
    });
  });
}

function sendBody(incoming: IncomingMessage, outgoing: ServerResponse, upstream: ClientRequest) {
  if (!hasBody(incoming)) {
    upstream.end();
    return;
  }
  if (incoming.headers.expect?.toLowerCase() === '100-continue') outgoing.writeContinue();
  incoming.once('end', () => {
    if (Object.keys(incoming.trailersDistinct).length > 0) upstream.addTrailers(incoming.trailers);
  });
  incoming.pipe(upstream);
}

/** @throws when there is no such status or header in HTTP; nothing is sent then */
function sendAnswer(
  incoming: IncomingMessage,
  answer: IncomingMessage,
  outgoing: ServerResponse,
  ended: () => void,
): void {
  const status = answer.statusCode ?? 502;
  const hasContent = incoming.method !== 'HEAD' && status !== 204 && status !== 304;
  const headers = responseHeaders(answer, hasContent && incoming.httpVersion !== '1.0');
  outgoing.writeHead(status, answer.statusMessage, headers);
  // The head goes at once, and byte by byte as it came, which flushHeaders() would not do.
  if (hasContent) outgoing.write(Buffer.alloc(0));
  answer.once('end', () => {
    if (answer.rawTrailers.length > 0) outgoing.addTrailers(answer.trailers);
  });
  // An answer cut short is cut short for the client too: pipeline destroys what it cannot end.
  pipeline(answer, outgoing, ended);
}
