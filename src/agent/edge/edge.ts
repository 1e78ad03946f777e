import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HoldReport } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { listeningPort } from '../../shared/listening-port.js';
import type { Logger } from '../../shared/logging.js';
import { readAgain } from '../../shared/read-again.js';
import { Entrance, type EntranceLimits, type Target } from './entrance.js';
import { exchange, type Outcome } from './exchange.js';
import { forwardHeader } from './headers.js';
import type { Route } from './route.js';
import { changesProtocol, upgrade } from './upgrade.js';

export interface EdgeOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  readonly logger: Logger;
  readonly limits?: Partial<EntranceLimits>;
}

/** Between two attempts to reach a target, in milliseconds. */
const pause = 25;

/** Which app a request is for, and whether another edge says so. */
interface Addressed {
  readonly entrance: Entrance;
  readonly trusted: boolean;
}

/**
 * The region's HTTP entry. Routes by Host to the processes of an app; lets requests wait while
 * they are held; or forwards them to another region's edge. Bodies stream both ways.
 */
export class Edge {
  readonly #options: EdgeOptions;
  readonly #limits: EntranceLimits;
  readonly #server: Server;
  /** All of them; once upgraded, the server itself no longer knows them. */
  readonly #sockets = new Set<Socket>();
  readonly #apps = new Map<string, Entrance>();
  readonly #hosts = new Map<string, Entrance>();
  /** By the SHA-256 of their tokens, so that looking one up tells nothing about it by its time. */
  readonly #tokens = new Map<string, Entrance>();

  constructor(options: EdgeOptions) {
    this.#options = options;
    this.#limits = { waiting: 10_000, patience: 10_000, ...options.limits };
    this.#server = createServer({
      keepAliveTimeout: 75_000,
      requestTimeout: 0, // uploads may take their time; their heads may not
      headersTimeout: 60_000,
      noDelay: true,
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    const serve = (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#serve(incoming, outgoing).catch((error) => {
        options.logger.error({ err: error }, 'a request ended in an error');
        outgoing.destroy();
      });
    };
    this.#server.on('request', serve);
    this.#server.on('checkContinue', serve);
    this.#server.on('upgrade', (incoming, socket, head) => {
      socket.on('error', () => socket.destroy());
      if (!changesProtocol(incoming)) return readAgain(this.#server, incoming, socket, head);
      this.#upgrade(incoming, socket, head).catch((error) => {
        options.logger.error({ err: error }, 'an upgrade ended in an error');
        socket.destroy();
      });
    });
    this.#server.on('clientError', (error, socket) => {
      const code = 'code' in error ? error.code : null;
      const status =
        code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
      if (socket.writable) {
        socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      } else socket.destroy();
    });
  }

  async start(): Promise<void> {
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const entrance of this.#apps.values()) entrance.close();
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** `host:port` */
  get address(): string {
    return `${this.#options.host}:${listeningPort(this.#server)}`;
  }

  /** Makes an app known, or changes what is known of it. */
  setRoute(route: Route): void {
    const known = this.#apps.get(route.app);
    if (known) this.#forget(known.route);
    known?.update(route);
    const entrance = known ?? new Entrance(route, this.#limits);
    this.#apps.set(route.app, entrance);
    for (const hostname of route.hostnames) this.#hosts.set(hostname, entrance);
    if (route.forwardToken !== null) this.#tokens.set(digest(route.forwardToken), entrance);
  }

  removeRoute(app: string): void {
    const entrance = this.#apps.get(app);
    if (!entrance) return;
    this.#forget(entrance.route);
    this.#apps.delete(app);
    entrance.close();
  }

  /** Waits until the app's processes have answered all that was passed to them. @returns whether they had within `timeout` ms */
  async drained(app: string, timeout: number): Promise<boolean> {
    return (await this.#apps.get(app)?.drained(timeout)) ?? true;
  }

  /** What was held since the last hold began. */
  report(app: string): HoldReport {
    return (
      this.#apps.get(app)?.report() ?? {
        mode: 'serve',
        holding: 0,
        held: 0,
        longestWait: 0,
        expired: 0,
      }
    );
  }

  #forget({ app, hostnames, forwardToken }: Route): void {
    const entrance = this.#apps.get(app);
    for (const hostname of hostnames) {
      if (this.#hosts.get(hostname) === entrance) this.#hosts.delete(hostname);
    }
    if (forwardToken !== null) this.#tokens.delete(digest(forwardToken));
  }

  #find(incoming: IncomingMessage): Addressed | null {
    const token = incoming.headers[forwardHeader];
    if (typeof token === 'string') {
      const entrance = this.#tokens.get(digest(token));
      return entrance ? { entrance, trusted: true } : null;
    }
    const entrance = this.#hosts.get(hostname(incoming.headers.host ?? ''));
    return entrance ? { entrance, trusted: false } : null;
  }

  async #serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    incoming.on('error', () => undefined); // the client is gone; `outgoing` closes with it
    const addressed = this.#find(incoming);
    if (!addressed) return answer(outgoing, 404, noApp);
    const gone = new AbortController();
    outgoing.once('close', () => gone.abort());
    try {
      const outcome = await this.#pass(addressed.entrance, gone.signal, (target, fresh) =>
        exchange(incoming, outgoing, target, { ...addressed, fresh }),
      );
      if (outcome === 'broken' && !outgoing.headersSent) {
        answer(outgoing, 502, 'The application broke off before it answered.');
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      answer(outgoing, 503, error.message);
    }
  }

  async #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const addressed = this.#find(incoming);
    if (!addressed) return void socket.end(bareAnswer('404 Not Found', noApp));
    const gone = new AbortController();
    socket.once('close', () => gone.abort());
    try {
      const outcome = await this.#pass(addressed.entrance, gone.signal, (target) =>
        upgrade(incoming, socket, head, target, addressed.trusted),
      );
      if (outcome === 'broken')
        socket.end(bareAnswer('502 Bad Gateway', 'The application broke off.'));
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      socket.end(bareAnswer('503 Service Unavailable', error.message));
    }
  }

  /** Tries targets until one was reached: processes and edges may be restarting. */
  async #pass(
    entrance: Entrance,
    signal: AbortSignal,
    attempt: (target: Target, fresh: boolean) => Promise<Outcome>,
  ): Promise<Outcome> {
    for (let attempts = 0; attempts * pause <= this.#limits.patience; attempts++) {
      const target = await entrance.target(signal);
      const outcome = await attempt(target, attempts > 0);
      if (outcome !== 'unreached') return outcome;
      await sleep(pause, undefined, { signal });
    }
    throw new Refusal(
      'unavailable',
      'The application does not accept connections. Look at its logs.',
    );
  }
}

const noApp =
  'No application answers to this host name here. Add the domain to the application, or check the address.';

function answer(outgoing: ServerResponse, status: number, text: string): void {
  outgoing.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    ...(status === 503 && { 'retry-after': '2' }),
    connection: 'close', // what the client may still be sending is not read
  });
  outgoing.end(`${text}\n`);
}

function bareAnswer(status: string, text: string): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n${text}\n`;
}

function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
