import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { HoldReport } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { Logger } from '../../shared/logging.js';
import { Certificates } from './certificates.js';
import { type Addresses, Doors } from './doors.js';
import { type Admission, Entrance } from './entrance.js';
import { exchange, type Outcome } from './exchange.js';
import { forwardHeader } from './headers.js';
import type { Call, Inbound } from './inbound.js';
import { type EdgeLimits, usualLimits } from './limits.js';
import { hostname, seen, told } from './provenance.js';
import type { Redirect } from './redirect.js';
import type { Route } from './route.js';
import { RouterLog } from './router-log.js';
import { type Change, upgrade } from './upgrade.js';
import { Visit } from './visit.js';

export interface EdgeOptions extends Addresses {
  readonly logger: Logger;
  readonly limits?: Partial<EdgeLimits>;
  /** Writes lines to the log of an app whose settings ask for them. */
  readonly log?: (app: string, lines: readonly string[]) => Promise<void>;
}

/** Between two attempts to reach a target, in milliseconds. */
const pause = 25;

/**
 * The region's HTTP entry. Routes by Host to the processes of an app, as its settings say; lets
 * requests wait while they are held; or forwards them to another region's edge. Bodies stream both
 * ways.
 */
export class Edge {
  readonly #options: EdgeOptions;
  readonly #limits: EdgeLimits;
  readonly #doors: Doors;
  readonly #certificates: Certificates;
  readonly #log: RouterLog;
  readonly #apps = new Map<string, Entrance>();
  readonly #hosts = new Map<string, Entrance>();
  /** By the SHA-256 of their tokens, so that looking one up tells nothing about it by its time. */
  readonly #tokens = new Map<string, Entrance>();
  #answers = { answered: 0, took: 0 };

  constructor(options: EdgeOptions) {
    const { logger, log = async () => undefined } = options;
    this.#options = options;
    this.#limits = { ...usualLimits, ...options.limits };
    this.#certificates = new Certificates(logger);
    this.#log = new RouterLog(log, logger);
    this.#doors = new Doors(options, this.#limits, {
      call: (call) => {
        this.#serve(call).catch((error) => {
          logger.error({ err: error }, 'a request ended in an error');
          call.destroy();
        });
      },
      change: (request, client, head) => {
        this.#change(request, client, head).catch((error) => {
          logger.error({ err: error }, 'an upgrade ended in an error');
          client.destroy();
        });
      },
      contextFor: (name) => this.#contextFor(name),
    });
  }

  async start(): Promise<void> {
    await this.#doors.open();
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const entrance of this.#apps.values()) entrance.close();
    await this.#doors.close();
    await this.#log.flush();
  }

  /** `host:port` */
  get address(): string {
    return `${this.#options.host}:${this.#doors.port}`;
  }

  /** `host:port` for clients that come by TLS; empty when they cannot. */
  get secureAddress(): string {
    const { securePort } = this.#doors;
    return securePort === null ? '' : `${this.#options.host}:${securePort}`;
  }

  /** How many requests processes of this region's apps have answered, and what that took in all, in milliseconds. */
  get answers(): { readonly answered: number; readonly took: number } {
    return this.#answers;
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
    const others = this.#certificates.set(route.app, route.certificates ?? new Map());
    if (others) this.#doors.forgetSessions();
  }

  /** Whether a host name leads to another app than this one. */
  isKnown(hostname: string, app: string): boolean {
    const entrance = this.#hosts.get(hostname);
    return entrance !== undefined && entrance.route.app !== app;
  }

  removeRoute(app: string): void {
    const entrance = this.#apps.get(app);
    if (!entrance) return;
    this.#forget(entrance.route);
    this.#apps.delete(app);
    this.#certificates.set(app, new Map());
    this.#log.forget(app);
    entrance.close();
  }

  /** Waits until the app's processes have answered all that was passed to them. @returns whether they had within `timeout` ms */
  async drained(app: string, timeout: number): Promise<boolean> {
    return (await this.#apps.get(app)?.drained(timeout)) ?? true;
  }

  /** What was done since the last hold began, and lately. */
  report(app: string): HoldReport {
    return (
      this.#apps.get(app)?.report() ?? {
        mode: 'serve',
        holding: 0,
        held: 0,
        longestWait: 0,
        waits: { p50: 0, p99: 0 },
        expired: 0,
        refused: 0,
        closed: 0,
        drained: null,
        traffic: [],
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

  #contextFor(hostname: string): SecureContext | undefined {
    const entrance = this.#hosts.get(hostname);
    return entrance && this.#certificates.find(entrance.route.app, hostname);
  }

  /** What the request is a visit to: the app of its host name, or the one that another edge names by a token. */
  #receive(request: Inbound): Visit | null {
    const [token] = request.headers[forwardHeader] ?? [];
    if (token !== undefined) {
      const entrance = this.#tokens.get(digest(token));
      if (!entrance) return null;
      return new Visit(request, { entrance, provenance: told(request), isHandedOn: true });
    }
    const entrance = this.#hosts.get(hostname(request.host ?? ''));
    if (!entrance) return null;
    const provenance = seen(request, this.#doors.securePort);
    return new Visit(request, { entrance, provenance, isHandedOn: false });
  }

  async #serve(call: Call): Promise<void> {
    const visit = this.#receive(call);
    if (!visit) return call.reply({ status: 404, headers: [] }, noApp);
    const reply = (status: number, text: string, ...headers: string[]) => {
      visit.answer(status);
      call.reply({ status, headers: [...headers, ...visit.endHere()] }, text);
    };
    const gone = new AbortController();
    call.onceOver(() => {
      gone.abort();
      this.#note(visit, call);
    });
    try {
      const outcome = await this.#pass(visit, gone.signal, async (admission, fresh) => {
        const redirect = visit.redirection({ change: false });
        if (!redirect) return exchange(call, admission, { visit, fresh, limits: this.#limits });
        reply(redirect.status, elsewhere(redirect), 'location', redirect.location);
        return 'answered';
      });
      if (outcome === 'broken' && call.status === null) {
        reply(502, 'The application broke off before it answered.');
      }
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      reply(503, error.message, 'retry-after', '2');
    }
  }

  async #change(request: Inbound, client: Duplex, head: Buffer): Promise<void> {
    const visit = this.#receive(request);
    if (!visit) return void client.end(bareAnswer('404 Not Found', noApp));
    const change: Change = { request, client, head, status: null, bytes: 0 };
    const reply = (status: number, reason: string, text: string, ...headers: string[]) => {
      change.status = status;
      visit.answer(status);
      client.end(bareAnswer(`${status} ${reason}`, text, [...headers, ...visit.endHere()]));
    };
    const gone = new AbortController();
    client.once('close', () => {
      gone.abort();
      this.#note(visit, change);
    });
    try {
      const outcome = await this.#pass(visit, gone.signal, async (admission) => {
        const redirect = visit.redirection({ change: true });
        if (!redirect) return upgrade(change, admission, { visit, limits: this.#limits });
        const { status, location } = redirect;
        reply(status, 'Moved Permanently', elsewhere(redirect), 'Location', location);
        return 'answered';
      });
      if (outcome === 'broken') reply(502, 'Bad Gateway', 'The application broke off.');
    } catch (error) {
      if (gone.signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      reply(503, 'Service Unavailable', error.message, 'Retry-After', '2');
    }
  }

  /** Tries targets until one was reached: processes and edges may be restarting. */
  async #pass(
    visit: Visit,
    signal: AbortSignal,
    attempt: (admission: Admission, fresh: boolean) => Promise<Outcome>,
  ): Promise<Outcome> {
    // Not the time that it is held, or waits its turn while others are let in.
    let tried = 0;
    for (let fresh = false; ; fresh = true) {
      const admission = await visit.next(signal, { fresh });
      tried += admission.stalled;
      const isElsewhere = admission.target.token !== null;
      if (tried > (isElsewhere ? this.#limits.forward : this.#limits.patience)) {
        admission.settle(false);
        throw new Refusal('unavailable', isElsewhere ? cutOff : shut);
      }
      const begun = performance.now();
      const done = () => admission.settle(false);
      const outcome = await attempt(admission, fresh).finally(done);
      if (outcome !== 'unreached') return outcome;
      await visit.pause(pause, signal);
      tried += performance.now() - begun;
    }
  }

  /** Counts a visit that is over, and writes it down if the app wants that and is still there. */
  #note(visit: Visit, { status, bytes }: { status: number | null; bytes: number }): void {
    if (visit.took !== null) {
      const { answered, took } = this.#answers;
      this.#answers = { answered: answered + 1, took: took + visit.took };
    }
    const { app } = visit.entrance.route;
    if (this.#apps.get(app) !== visit.entrance) return;
    const line = visit.line({ status: status ?? clientLeft, bytes });
    if (line !== null) this.#log.add(app, line);
  }
}

/** Nobody hears this status: it is for the log. */
const clientLeft = 499;

const shut = 'The application does not accept connections. Look at its logs.';
const cutOff = 'The region that the application is in cannot be reached. Try again later.';

const noApp =
  'No application answers to this host name here. Add the domain to the application, or check the address.';

function elsewhere({ location }: Redirect): string {
  return `This is at ${location}`;
}

function bareAnswer(status: string, text: string, headers: readonly string[] = []): string {
  const lines = headers.flatMap((name, at) => (at % 2 ? [] : [`${name}: ${headers[at + 1]}\r\n`]));
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\n${lines.join('')}Connection: close\r\n\r\n${text}\n`;
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}
