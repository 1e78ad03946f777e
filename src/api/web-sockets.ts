import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import fastifyWebsocket from '@fastify/websocket';
import type { FastifyInstance } from 'fastify';
import { readAgain } from '../shared/read-again.js';

/** The longest message that a client may send, in bytes; none has anything to say. */
const longestMessage = 1_024;

/**
 * Lets clients open a WebSocket at routes that offer one. Whatever other protocol a client offers
 * (some offer HTTP/2 with every request), it is answered as if it had not.
 */
export async function letWebSocketsIn(app: FastifyInstance): Promise<void> {
  /** Hears of offers of WebSockets only, and never listens itself. */
  const offers = createServer();
  app.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isWebSocket(request)) offers.emit('upgrade', request, socket, head);
    else readAgain(app.server, request, socket, head);
  });
  await app.register(fastifyWebsocket, {
    options: { server: offers, maxPayload: longestMessage },
  });
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}
