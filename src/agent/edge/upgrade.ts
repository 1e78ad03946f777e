import { type IncomingMessage, request, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import { watchConnecting } from './connecting.js';
import type { Admission } from './entrance.js';
import type { Outcome } from './exchange.js';
import { requestHeaders, responseHeaders } from './headers.js';
import { type Inbound, isRepeatable } from './inbound.js';
import type { EdgeLimits } from './limits.js';
import { PlainRelay } from './plain-relay.js';
import type { Visit } from './visit.js';
import { WebSocketRelay } from './websocket-relay.js';

/** A request to change the protocol, and what it was answered so far. */
export interface Change {
  readonly request: Inbound;
  readonly client: Duplex;
  /** What the client sent beyond the request. */
  readonly head: Buffer;
  /** Null before it is answered. */
  status: number | null;
  /** Bytes that the client was sent after the answer's head. */
  bytes: number;
}

/**
 * Whether a request that offers to change the protocol is to be asked about it. One with content,
 * or for HTTP/2 in clear text, is answered as if it had not offered (RFC 9110, section 7.8): some
 * clients offer that with every request.
 */
export function changesProtocol({ headers }: IncomingMessage): boolean {
  const hasContent =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return !hasContent && headers.upgrade?.toLowerCase() !== 'h2c';
}

/** Passes a request to change the protocol (a WebSocket, mostly) on, and then both directions of it. */
export function upgrade(
  change: Change,
  { target, settle }: Admission,
  { visit, limits }: { visit: Visit; limits: Pick<EdgeLimits, 'connect'> },
): Promise<Outcome> {
  const { client, head } = change;
  const { method, url, headers } = change.request;
  const upstream = request({
    host: target.host,
    port: target.port,
    method,
    path: url,
    headers: {
      ...requestHeaders(change.request, { provenance: visit.provenance, token: target.token }),
      connection: 'Upgrade',
      upgrade: headers['upgrade']?.join(', ') ?? '',
    },
    agent: false,
    setHost: false,
  });
  const leave = () => upstream.destroy();
  client.once('close', leave);
  const begin = (answer: IncomingMessage, ...extra: string[]) => {
    change.status = answer.statusCode ?? 502;
    visit.answer(change.status);
    const added = [...visit.additions(answer.headers), ...extra];
    client.write(headOf(answer, added), 'latin1');
  };
  const { entrance } = visit;
  const done = target.token === null ? entrance.begin() : () => undefined;
  upstream.once('close', done);
  return new Promise<Outcome>((resolve) => {
    let connected = false;
    watchConnecting(upstream, limits.connect, {
      connected: () => {
        connected = true;
      },
      settled: settle,
    });
    upstream.on('error', () => {
      client.off('close', leave);
      // As for other requests: what another edge broke off may be asked again.
      const isPassing = isRepeatable(change.request) && target.token !== null;
      resolve(connected && !isPassing ? 'broken' : 'unreached');
    });
    upstream.once('upgrade', (answer, app, rest) => {
      client.off('close', leave); // from here on, one ends with the other
      begin(answer, 'Connection', 'Upgrade', 'Upgrade', answer.headers.upgrade ?? '');
      const count = (bytes: number) => {
        change.bytes += bytes;
      };
      const sides = { client, app, sent: { byClient: head, byApp: rest }, count };
      const isWebSocket = answer.headers.upgrade?.toLowerCase() === 'websocket';
      const isOurs = target.token === null;
      const relay = isWebSocket && isOurs ? new WebSocketRelay(sides) : new PlainRelay(sides);
      if (isOurs) app.once('close', entrance.linger(relay));
      done();
      resolve('answered');
    });
    upstream.once('response', (answer) => {
      // Refused. Its body's framing was the app's connection's; here its end is the end of the connection.
      begin(answer, 'Connection', 'close');
      answer.on('data', (piece: Buffer) => {
        change.bytes += piece.length;
      });
      pipeline(answer, client, () => resolve('answered'));
    });
    upstream.end();
  });
}

function headOf(answer: IncomingMessage, extra: readonly string[]): string {
  const status = answer.statusCode ?? 502;
  const headers = [...responseHeaders(answer, false), ...extra];
  const lines = [`HTTP/1.1 ${status} ${answer.statusMessage || STATUS_CODES[status]}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}
