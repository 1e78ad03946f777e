import { once } from 'node:events';
import type { Server as Http1Server } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { DomainTls } from '../../region/model.js';
import { listeningPort } from '../../shared/listening-port.js';
import { http1Server } from './http1-server.js';
import { http2Server } from './http2-server.js';
import type { EdgeLimits } from './limits.js';
import type { Reception } from './reception.js';
import { TlsServer } from './tls-server.js';

/** Where clients come in. Ports are 0 for any that is free. */
export interface Addresses {
  readonly host: string;
  readonly port: number;
  /** For clients that come by TLS, with what those are shown whose domain has no certificate of its own. */
  readonly tls?: { readonly port: number; readonly certificate: DomainTls };
}

/** The region's entries: HTTP/1 in clear text; HTTP/1 and HTTP/2 over TLS. */
export class Doors {
  readonly #addresses: Addresses;
  readonly #plain: Http1Server;
  readonly #secure: TlsServer | null;
  /** All of them; once upgraded, the server itself no longer knows them. */
  readonly #sockets = new Set<Socket>();

  constructor(addresses: Addresses, limits: EdgeLimits, reception: Reception) {
    this.#addresses = addresses;
    const plain = http1Server(limits, reception);
    const http2 = http2Server(limits, reception);
    const given = {
      http1: (socket: Socket) => plain.emit('connection', socket),
      http2: (socket: Socket) => http2.emit('connection', socket),
    };
    this.#plain = plain;
    this.#secure = addresses.tls
      ? new TlsServer(addresses.tls.certificate, limits, reception, given)
      : null;
    for (const server of this.#servers) {
      server.on('connection', (socket) => {
        this.#sockets.add(socket);
        socket.once('close', () => this.#sockets.delete(socket));
      });
    }
  }

  async open(): Promise<void> {
    const { host, port, tls } = this.#addresses;
    this.#plain.listen(port, host);
    this.#secure?.listener.listen(tls?.port, host);
    await Promise.all(this.#servers.map((server) => once(server, 'listening')));
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    const closed = this.#servers.map((server) => once(server, 'close'));
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  get port(): number {
    return listeningPort(this.#plain);
  }

  /** Null when clients cannot come by TLS. */
  get securePort(): number | null {
    return this.#secure && listeningPort(this.#secure.listener);
  }

  /** Has every client look at its certificate again, also one that could resume an earlier session. */
  forgetSessions(): void {
    this.#secure?.forgetSessions();
  }

  get #servers(): Server[] {
    return this.#secure ? [this.#plain, this.#secure.listener] : [this.#plain];
  }
}
