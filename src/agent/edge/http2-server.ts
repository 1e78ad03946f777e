import { maxHeaderSize } from 'node:http';
import { createServer, type Http2Server, type ServerHttp2Session } from 'node:http2';
import { Http2Call } from './http2-call.js';
import type { EdgeLimits } from './limits.js';
import type { Reception } from './reception.js';

/**
 * Speaks HTTP/2 with clients, over any connection that it is given. WebSockets are not offered, so
 * that browsers open them over HTTP/1. Who resets requests faster than anybody needs to is sent
 * away by Node.js itself.
 */
export function http2Server(limits: EdgeLimits, reception: Reception): Http2Server {
  const server = createServer({
    settings: { maxConcurrentStreams: limits.streams, maxHeaderListSize: 4 * maxHeaderSize },
    maxHeaderListPairs: 1_000, // browsers send each cookie by itself
    maxSessionMemory: 64, // MB; all that the streams of one connection may have under way fits in
  });
  server.on('session', (session) => closeWhenIdle(session, limits.idle));
  server.on('stream', (stream, headers) => {
    const { socket, encrypted } = stream.session ?? {};
    const connection = {
      isSecure: encrypted === true,
      address: socket?.remoteAddress ?? '',
      port: socket?.localPort,
    };
    const call = new Http2Call(stream, headers, connection);
    if (sizeOf(headers) > maxHeaderSize) {
      call.reply({ status: 431, headers: [] }, 'The headers of the request are too large.');
    } else if (!call.url.startsWith('/') && call.url !== '*') {
      call.reply({ status: 400, headers: [] }, 'The request names no path.');
    } else reception.call(call);
  });
  return server;
}

/** Ends a connection that has had no request for `time` ms, whatever else comes over it. */
function closeWhenIdle(session: ServerHttp2Session, time: number): void {
  let open = 0;
  const timer = setTimeout(() => {
    if (open === 0) session.destroy();
  }, time);
  session.on('stream', (stream) => {
    open += 1;
    stream.once('close', () => {
      open -= 1;
      if (open === 0 && !session.destroyed) timer.refresh();
    });
  });
  session.once('close', () => clearTimeout(timer));
}

/** As HTTP/2 counts it, 32 bytes for each field being its own due. */
function sizeOf(headers: Readonly<Record<string, string | readonly string[] | undefined>>): number {
  return Object.entries(headers).reduce(
    (size, [name, value]) => size + name.length + String(value).length + 32,
    0,
  );
}
