import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { atPace, Pace } from '../../../shared/pace.js';
import { comesFrom } from '../../networks.js';
import type { Place } from '../product.js';
import type { DatabaseRecord } from './record.js';
import type { MariadbServer } from './server.js';
import { sizeOf } from './size.js';

/** The header that tells how many bytes a copy will have, about. */
export const sizeHeader = 'godwit-size';

/**
 * Where followers fetch their copy: over TLS, with the server's certificate, and the credential of
 * their grant. MariaDB itself sends history only; this sends what came before, as it is read from disk.
 */
export class CopyDoor {
  readonly #server: MariadbServer;
  readonly #place: Place;
  #door: { readonly http: Server; readonly closing: AbortController } | null = null;

  constructor(server: MariadbServer, place: Place) {
    this.#server = server;
    this.#place = place;
  }

  get isOpen(): boolean {
    return this.#door !== null;
  }

  /**
   * @param record whom it opens to, looked at for each who comes
   * @throws when its port is taken
   */
  async open(record: () => DatabaseRecord): Promise<void> {
    if (this.#door) return;
    const { address, logger } = this.#place;
    const { certificate, privateKey, copyPort } = record();
    const closing = new AbortController();
    const http = createServer({ cert: certificate, key: privateKey }, (request, response) => {
      if (!isAdmitted(request, record())) {
        response.writeHead(401).end();
        return;
      }
      this.#send(response, closing.signal).catch((error) => {
        if (!closing.signal.aborted) logger.warn({ err: error }, 'a copy broke off');
        response.destroy(); // which tells the other side that it is not whole
      });
    });
    http.on('tlsClientError', () => undefined); // whoever it was, it is none of the followers
    http.listen(copyPort, address);
    await once(http, 'listening');
    http.on('error', (error) => logger.warn({ err: error }, 'a door for copies'));
    this.#door = { http, closing };
  }

  /** Copies that are under way break off. */
  async close(): Promise<void> {
    const door = this.#door;
    if (!door) return;
    this.#door = null;
    door.closing.abort(new Error('The door was closed.'));
    door.http.close();
    door.http.closeAllConnections();
    await once(door.http, 'close');
  }

  async #send(response: ServerResponse, closed: AbortSignal): Promise<void> {
    const size = await sizeOf(this.#server.data);
    closed.throwIfAborted();
    const backup = await this.#server.backingUp();
    try {
      response.writeHead(200, { [sizeHeader]: size });
      const paced = atPace(new Pace(this.#place.copyRate));
      await pipeline(backup.pipe, paced, response, { end: false, signal: closed });
      const code = await backup.ended;
      if (code !== 0) throw await this.#server.failed('mariadb-backup', code);
      response.end();
    } finally {
      backup.kill();
      await backup.ended;
    }
  }
}

function isAdmitted({ headers, socket }: IncomingMessage, { grants }: DatabaseRecord): boolean {
  const given = Buffer.from(headers.authorization ?? '');
  return grants.some(({ name, password, from }) => {
    const wanted = Buffer.from(authorization(name, password));
    const isKnown = given.length === wanted.length && timingSafeEqual(given, wanted);
    return isKnown && comesFrom(socket.remoteAddress, from);
  });
}

/** HTTP's Basic authentication (RFC 7617). */
export function authorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}
