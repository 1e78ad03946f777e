import { randomBytes } from 'node:crypto';
import net, { type Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import type { DomainTls } from '../../region/model.js';
import { namesHost } from './client-hello.js';
import type { EdgeLimits } from './limits.js';
import { hostname } from './provenance.js';
import type { Reception } from './reception.js';

/** Who speaks the HTTP that a client has agreed upon. */
type Given = Readonly<Record<'http1' | 'http2', (socket: TLSSocket) => void>>;

/**
 * Speaks TLS with clients, and gives each connection to whoever speaks the HTTP that they agreed
 * upon.
 *
 * A certificate that is chosen by name comes beside the one that a server has from the start, if
 * that has another kind of key, and the client may be shown either. So whoever names a host is
 * served without one from the start; the others, who get the region's own, apart.
 */
export class TlsServer {
  /** Where clients connect. */
  readonly listener: net.Server;
  readonly #named: Server;

  constructor(
    own: DomainTls,
    limits: EdgeLimits,
    reception: Pick<Reception, 'contextFor'>,
    given: Given,
  ) {
    const pair = { cert: own.certificate, key: own.key };
    const usual = createSecureContext(pair);
    const options = {
      ALPNProtocols: ['h2', 'http/1.1'],
      handshakeTimeout: limits.handshake,
    };
    const named = createServer({
      ...options,
      SNICallback: (name, tell) => tell(null, reception.contextFor(hostname(name)) ?? usual),
    });
    const nameless = createServer({ ...options, ...pair });
    for (const server of [named, nameless]) handOver(server, given);
    this.#named = named;
    this.listener = net.createServer({ noDelay: true }, (socket) =>
      readHello(socket, limits.handshake, (names) => {
        (names ? named : nameless).emit('connection', socket);
      }),
    );
  }

  /** Has every client look at its certificate again, also one that could resume an earlier session. */
  forgetSessions(): void {
    this.#named.setTicketKeys(randomBytes(48));
  }
}

function handOver(server: Server, given: Given): void {
  server.on('secureConnection', (socket) => {
    if (socket.alpnProtocol === 'h2') given.http2(socket);
    else given.http1(socket);
  });
  server.on('tlsClientError', (_, socket) => socket.destroy());
}

/**
 * Reads as much as it takes to tell whether the client names a host, and puts it back.
 * @param patience how long that may take, in milliseconds
 */
function readHello(socket: Socket, patience: number, tell: (names: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), patience);
  let begun = Buffer.alloc(0);
  const read = (piece: Buffer) => {
    begun = Buffer.concat([begun, piece]);
    const names = namesHost(begun);
    if (names === null) return;
    clearTimeout(timer);
    socket.off('data', read);
    socket.pause();
    socket.unshift(begun);
    tell(names);
  };
  socket.on('data', read);
  socket.on('error', () => socket.destroy());
  socket.once('close', () => clearTimeout(timer));
}
