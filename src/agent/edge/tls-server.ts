import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { DomainTls } from '../../region/model.js';
import type { EdgeLimits } from './limits.js';
import { hostname } from './provenance.js';
import type { Reception } from './reception.js';

/** Speaks TLS with clients, and gives each connection to whoever speaks the HTTP that they agreed upon. */
export function tlsServer(
  own: DomainTls,
  limits: EdgeLimits,
  reception: Pick<Reception, 'contextFor'>,
  given: Readonly<Record<'http1' | 'http2', (socket: TLSSocket) => void>>,
): Server {
  const server = createServer({
    cert: own.certificate,
    key: own.key,
    ALPNProtocols: ['h2', 'http/1.1'],
    SNICallback: (name, tell) => tell(null, reception.contextFor(hostname(name))),
    handshakeTimeout: limits.handshake,
    noDelay: true,
  });
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') given.http2(socket);
    else given.http1(socket);
  });
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}
