import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createServer, type Server } from 'node:tls';
import { atPace, Pace, type Rate } from '../../../shared/pace.js';
import { comesFrom, type Networks } from '../../networks.js';
import { CopyStream } from './copy-stream.js';

/** What those hear who are not let in, an error of Redis' protocol (RESP). */
export const notAdmitted = '-DENIED This follower has no permission.\r\n';

/** What a door is opened with. */
export interface DoorOptions {
  readonly host: string;
  readonly port: number;
  /** What it shows, in PEM. */
  readonly certificate: string;
  readonly privateKey: string;
  /** What those show who are let in, in PEM, and where they come from. Nobody else gets to speak. */
  readonly admitted: readonly { readonly certificate: string; readonly from: Networks }[];
  /** The port of the loopback interface that it leads to. */
  readonly to: number;
  /** How fast what is in the server may be copied. */
  readonly copyRate: Rate | undefined;
}

/**
 * Where a server that listens on the loopback interface only can be reached from other hosts: over
 * TLS, and by whoever shows a certificate that was made for it. The server knows neither, and
 * asks for its password all the same.
 */
export class Door {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor({ certificate, privateKey, admitted, to, copyRate }: DoorOptions) {
    this.#server = createServer({
      cert: certificate,
      key: privateKey,
      ca: admitted.map((one) => one.certificate),
      requestCert: true,
      rejectUnauthorized: false, // but told, see below
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('tlsClientError', () => undefined); // whoever it was has been told
    this.#server.on('secureConnection', (outside) => {
      outside.on('error', () => undefined); // its end is all that matters
      const shown = outside.getPeerX509Certificate();
      const isAdmitted = admitted.some(
        ({ certificate, from }) =>
          shown?.fingerprint256 === new X509Certificate(certificate).fingerprint256 &&
          comesFrom(outside.remoteAddress, from),
      );
      if (!outside.authorized || !isAdmitted) return outside.end(notAdmitted);
      const inside = connect(to, '127.0.0.1');
      for (const socket of [outside, inside]) socket.setNoDelay(true).setKeepAlive(true, 10_000);
      // One side's end is the other's; a follower that lost its primary comes again.
      const stream = new CopyStream();
      const paced = atPace(new Pace(copyRate), (piece) => stream.isCopy(piece));
      pipeline(outside, inside, paced, outside, () => undefined);
    });
  }

  /** @throws when the port cannot be listened to */
  static async open(options: DoorOptions): Promise<Door> {
    const door = new Door(options);
    door.#server.listen(options.port, options.host);
    await once(door.#server, 'listening');
    return door;
  }

  /** Lets nobody in any more, and ends what goes on. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
