import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { listeningPort } from '../../src/shared/listening-port.js';

/** A piece of network between somebody and an address of this host, which can be cut and made slow. */
export class Wire {
  /** For each piece of data, in milliseconds. */
  delay = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #mended: Promise<void> = Promise.resolve();
  #mend: () => void = () => undefined;

  private constructor(port: number) {
    this.#server = createServer((near) => {
      if (this.#isCut) return near.destroy();
      const far = connect({ host: '127.0.0.1', port });
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return listeningPort(this.#server);
  }

  /** Breaks every connection, and lets none be made. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Keeps connections, and lets nothing through. */
  hang(): void {
    this.#mended = new Promise((resolve) => {
      this.#mend = resolve;
    });
  }

  mend(): void {
    this.#isCut = false;
    this.delay = 0;
    this.#mend();
  }

  close(): void {
    this.mend();
    this.cut();
    this.#server.close();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    const pass = async (piece: Buffer) => {
      await this.#mended;
      if (this.delay > 0) await sleep(this.delay);
      return piece;
    };
    const way = new Transform({
      transform(piece: Buffer, _encoding, done) {
        pass(piece).then((passed) => done(null, passed), done);
      },
    });
    from.on('error', () => undefined); // the other end hears of it by the close
    from.once('close', () => {
      this.#sockets.delete(from);
      way.destroy();
      to.destroy();
    });
    from.pipe(way).pipe(to);
  }
}
