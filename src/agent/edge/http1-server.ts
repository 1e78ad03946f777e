import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readAgain } from '../../shared/read-again.js';
import { closeGently } from './drain.js';
import { Http1Call, Http1Inbound } from './http1-call.js';
import type { EdgeLimits } from './limits.js';
import type { Reception } from './reception.js';
import { changesProtocol } from './upgrade.js';

/** What is wrong with a request that could not be read, by the code of the error. */
const faults: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Speaks HTTP/1 with clients, over any connection that it is given. */
export function http1Server(limits: EdgeLimits, reception: Reception): Server {
  const pause = Math.ceil(limits.head / 20);
  const server = createServer({
    keepAliveTimeout: limits.idle,
    requestTimeout: 0, // uploads may take their time; their heads may not
    headersTimeout: limits.head - pause, // it is noticed up to one pause later
    connectionsCheckingInterval: pause,
    noDelay: true,
  });
  const serve = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (!incoming.socket.writable) return; // it came after the last that is answered
    closeGently(incoming);
    const call = new Http1Call(incoming, outgoing);
    if (call.isMistaken) {
      call.reply({ status: 400, headers: [] }, 'The request names no path.');
    } else reception.call(call);
  };
  server.on('request', serve);
  server.on('checkContinue', serve);
  server.on('upgrade', (incoming, socket, head) => {
    socket.on('error', () => socket.destroy());
    socket.setMaxListeners(20); // all who listen to it leave with it
    const request = new Http1Inbound(incoming);
    if (request.isMistaken || !changesProtocol(incoming)) {
      return readAgain(server, incoming, socket, head);
    }
    reception.change(request, socket, head);
  });
  server.on('clientError', (error, socket) => {
    const code = 'code' in error ? String(error.code) : '';
    if (socket.writable) {
      const status = faults[code] ?? '400 Bad Request';
      socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    } else socket.destroy();
  });
  return server;
}
