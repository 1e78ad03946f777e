import { performance } from 'node:perf_hooks';
import type { Admission, Entrance, Visitor } from './entrance.js';
import type { Inbound } from './inbound.js';
import type { Provenance } from './provenance.js';
import { type Redirect, redirection } from './redirect.js';
import { logLine } from './router-log.js';
import { stickyCookie, stickyProcess } from './sticky.js';
import type { Counted } from './traffic-record.js';
import { weight } from './weight.js';

/** One request on its way through the edge to the app that it is for. */
export class Visit {
  readonly entrance: Entrance;
  /** Whether it was forwarded by another edge, which is the one that the client reached. */
  readonly isHandedOn: boolean;
  readonly #request: Inbound;
  readonly #provenance: Provenance;
  readonly #begun = performance.now();
  /** How long it was held here, in milliseconds, and since when it is. */
  #held = 0;
  #heldSince: number | null = null;
  /** Whether another edge has the request, which then writes it down. */
  #isForwarded = false;
  /** Name of the process that has the request. */
  #container: string | null = null;
  /** Null before it is answered. */
  #counted: Counted | null = null;
  #took: number | null = null;

  constructor(
    request: Inbound,
    parts: { entrance: Entrance; provenance: Provenance; isHandedOn: boolean },
  ) {
    this.#request = request;
    this.isHandedOn = parts.isHandedOn;
    this.entrance = parts.entrance;
    this.#provenance = parts.provenance;
  }

  /** Where the request comes from, with the time that it was held here. */
  get provenance(): Provenance {
    const now = performance.now();
    const held = this.#held + (now - (this.#heldSince ?? now));
    return { ...this.#provenance, held: this.#provenance.held + held };
  }

  /** How long a process of the app here took to answer, in milliseconds; null when none has. */
  get took(): number | null {
    return this.#took;
  }

  /** Where the request goes next; a client that has a process of its own comes to another once that cannot be reached. */
  async next(signal: AbortSignal, { fresh }: { fresh: boolean }): Promise<Admission> {
    const sticks = this.entrance.route.settings?.stickySession && !fresh;
    const admission = await this.entrance.admit(signal, this.#visitor(sticks ?? false));
    const { token, name } = admission.target;
    this.#isForwarded = token !== null;
    this.#container = name ?? null;
    return admission;
  }

  /** Waits for up to `time` ms, before it is tried again. */
  async pause(time: number, signal: AbortSignal): Promise<void> {
    await this.entrance.pause(time, signal, this.#visitor(false));
  }

  /** Where the app's settings send the client; whoever only forwards has no say in that. */
  redirection({ change }: { change: boolean }): Redirect | null {
    if (this.#isForwarded) return null;
    const found = redirection(this.entrance.route, this.#request, this.#provenance, { change });
    if (found) this.#container = null;
    return found;
  }

  /** Its answer begins, by whomever. */
  answer(status: number): void {
    const duration = performance.now() - this.#begun;
    this.#counted = this.entrance.traffic.add(duration, { failed: status >= 500 });
    if (!this.#isForwarded && this.#container !== null) this.#took = duration - this.#held;
  }

  /** Its answer will not come to an end, and that is not the client's doing. */
  breakOff(): void {
    this.#counted?.fail();
  }

  /** The edge answers by itself. @returns headers for that: names and values in turn */
  endHere(): string[] {
    this.#isForwarded = false;
    return ['X-Request-Id', this.#provenance.requestId];
  }

  /** What the edge adds to an answer of the app's that has these headers: names and values in turn. */
  additions(answered: NodeJS.Dict<string | string[]>): string[] {
    const { scheme, requestId } = this.#provenance;
    const added = answered['x-request-id'] === undefined ? ['X-Request-Id', requestId] : [];
    const process = this.#container;
    if (process === null || !this.entrance.route.settings?.stickySession) return added;
    if (process === stickyProcess(this.#request)) return added;
    return [...added, 'Set-Cookie', stickyCookie(process, { isSecure: scheme === 'https' })];
  }

  /** Its line in the app's log, now that it is over; null when there is to be none here. */
  line(answered: { status: number; bytes: number }): string | null {
    const { settings } = this.entrance.route;
    if (!settings?.routerLogs || this.#isForwarded) return null;
    return logLine({
      ...answered,
      method: this.#request.method,
      url: this.#request.url,
      provenance: this.provenance,
      container: this.#container,
      duration: performance.now() - this.#begun,
    });
  }

  #visitor(sticks: boolean): Visitor {
    const request = this.#request;
    return {
      wanted: sticks ? stickyProcess(request) : null,
      get size() {
        return weight(request);
      },
      hold: (isHeld) => this.#hold(isHeld),
    };
  }

  #hold(isHeld: boolean): void {
    const now = performance.now();
    this.#held += now - (this.#heldSince ?? now);
    this.#heldSince = isHeld ? now : null;
  }
}
