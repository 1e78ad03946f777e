import { performance } from 'node:perf_hooks';
import type { HoldReport } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { HoldRecord } from './hold-record.js';
import type { LongLived } from './long-lived.js';
import type { Backend, Route } from './route.js';
import { TrafficRecord } from './traffic-record.js';
import { type Turn, Turnstile } from './turnstile.js';
import { type RoomLimits, WaitingRoom } from './waiting-room.js';

/** Where one request goes: to a process of the app, or to another region's edge. */
export interface Target extends Backend {
  /** What another edge knows the app by; null for the app's own processes. */
  readonly token: string | null;
}

/** Leave for one request to go somewhere. */
export interface Admission extends Turn {
  readonly target: Target;
}

/** Who wants to be let in. */
export interface Visitor {
  /** The process that it wants to go to, if that is there; null for any. */
  readonly wanted: string | null;
  /** Bytes that it takes while it waits. */
  readonly size: number;
  /** Told that it is held from now on, or no longer. */
  hold(isHeld: boolean): void;
}

export interface EntranceLimits extends RoomLimits {
  /** How long a request waits for an app that has no process, in milliseconds. */
  readonly patience: number;
  /** How much longer when a hold is over that nobody ended. */
  readonly stranded: number;
}

interface Waiter {
  readonly wake: () => void;
}

/** Node.js cannot wait longer than this at once, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** The way into one app: lets requests through, or has them wait. */
export class Entrance {
  readonly traffic = new TrafficRecord();
  readonly #limits: EntranceLimits;
  readonly #room: WaitingRoom;
  readonly #turnstile = new Turnstile<Target>();
  readonly #waiting = new Set<Waiter>();
  readonly #drained = new Set<() => void>();
  readonly #longLived = new Set<LongLived>();
  #route: Route;
  #turn = 0;
  #inFlight = 0;
  #hold: HoldRecord;
  #holdEnds: NodeJS.Timeout | undefined;

  constructor(route: Route, limits: EntranceLimits) {
    this.#limits = limits;
    this.#room = new WaitingRoom(limits);
    this.#route = route;
    this.#hold = new HoldRecord({ isHold: this.#isHolding() });
    this.#follow(route);
  }

  get route(): Route {
    return this.#route;
  }

  /** Takes over a new route; whoever waits goes where it leads, in order of arrival. */
  update(route: Route): void {
    const wasHolding = this.#isHolding();
    this.#route = route;
    const begins = !wasHolding && this.#isHolding();
    if (begins) this.#hold = new HoldRecord({ isHold: true });
    this.#follow(route);
    if (begins) this.#endLongLived('hold');
  }

  /** The app is gone; whoever waits is told. Who was being forwarded, and has not got there yet, still is. */
  close(): void {
    clearTimeout(this.#holdEnds);
    const { mode } = this.#route;
    const isForwarded = mode.kind === 'forward';
    this.#route = { ...this.#route, mode: isForwarded ? mode : { kind: 'serve' }, backends: [] };
    this.#wakeAll();
  }

  /**
   * Where the next request goes; waits while requests are held, the app has no process, or many others are
   * connecting.
   * @throws Refusal `unavailable` when nothing came of waiting; whatever `signal` fires with
   */
  async admit(signal: AbortSignal, visitor: Visitor): Promise<Admission> {
    for (;;) {
      const atOnce = this.#isHolding() ? null : this.#next(visitor.wanted);
      const target = atOnce ?? (await this.#wait(signal, visitor));
      const turn = await this.#queue(target, visitor);
      if (!signal.aborted && this.#leadsTo(target)) return { target, ...turn };
      turn.settle(false);
      signal.throwIfAborted();
    }
  }

  /** Waits before a target is tried again that could not be reached; no longer than until the route changes. */
  async pause(time: number, signal: AbortSignal, visitor: Visitor): Promise<void> {
    const leave = this.#enter(visitor);
    try {
      await this.#change(time, signal);
    } finally {
      leave();
    }
  }

  /** Counts a request that has been passed to a process of the app. @returns to be called at its end, once or more often */
  begin(): () => void {
    this.#inFlight += 1;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      this.#inFlight -= 1;
      if (this.#inFlight === 0) for (const tell of this.#drained) tell();
    };
  }

  /**
   * Takes note of a connection with a process of the app that does not end by itself. Where requests
   * are held, it is ended.
   * @returns to be called at its end
   */
  linger(one: LongLived): () => void {
    this.#longLived.add(one);
    if (this.#isHolding() && one.endsAt === 'hold') this.#endLongLived('hold');
    return () => this.#longLived.delete(one);
  }

  /**
   * Waits until no request is with the app's processes; in a hold, ends then what only ends with the
   * app. @returns whether that was within `timeout` ms
   */
  async drained(timeout: number): Promise<boolean> {
    const hold = this.#hold;
    const isDrained = this.#inFlight === 0 || (await this.#empty(timeout));
    if (isDrained) hold.drain();
    if (this.#isHolding()) this.#endLongLived('drain');
    return isDrained;
  }

  report(): HoldReport {
    return {
      mode: this.#isHolding() || this.#route.mode.kind !== 'hold' ? this.#route.mode.kind : 'serve',
      ...this.#hold.report(),
      traffic: this.traffic.report(),
    };
  }

  #enter({ size }: Visitor): () => void {
    try {
      return this.#room.enter(size);
    } catch (error) {
      if (this.#isHolding()) this.#hold.refuse();
      throw error;
    }
  }

  /** Waits for its turn to connect. */
  async #queue(target: Target, visitor: Visitor): Promise<Turn> {
    if (this.#turnstile.isOpen(target)) return this.#turnstile.turn(target);
    const leave = this.#enter(visitor);
    try {
      return await this.#turnstile.turn(target);
    } finally {
      leave();
    }
  }

  /** Waits until requests are not held, and there is somewhere to go. */
  async #wait(signal: AbortSignal, visitor: Visitor): Promise<Target> {
    const leave = this.#enter(visitor);
    try {
      return await this.#somewhere(signal, visitor);
    } finally {
      leave();
    }
  }

  async #somewhere(signal: AbortSignal, visitor: Visitor): Promise<Target> {
    const arrived = performance.now();
    let wasHeld = false;
    let patientSince: number | null = null;
    for (;;) {
      if (this.#isHolding()) {
        patientSince = null;
        wasHeld = true;
        await this.#beHeld(arrived, signal, visitor);
        continue;
      }
      const target = this.#next(visitor.wanted);
      if (target) return target;
      patientSince ??= performance.now();
      const left = this.#limits.patience - (performance.now() - patientSince);
      if (left <= 0) {
        if (wasHeld) this.#hold.expire();
        throw new Refusal(
          'unavailable',
          'The application has no process that accepts requests. Look at its logs.',
        );
      }
      await this.#change(left, signal);
    }
  }

  /** Waits in one hold, from its beginning or from `since` on, to its end. */
  async #beHeld(since: number, signal: AbortSignal, visitor: Visitor): Promise<void> {
    const hold = this.#hold;
    const leave = hold.wait(since);
    visitor.hold(true);
    try {
      while (this.#isHolding() && this.#hold === hold) {
        await this.#change(Number.POSITIVE_INFINITY, signal);
      }
    } finally {
      leave();
      visitor.hold(false);
    }
  }

  #empty(timeout: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isEmpty: boolean) => {
        clearTimeout(timer);
        this.#drained.delete(tell);
        resolve(isEmpty);
      };
      const tell = () => settle(true);
      const timer = setTimeout(() => settle(false), timeout);
      this.#drained.add(tell);
    });
  }

  /** Ends those that can be ended now. Until the app is rid of them, they count as passed to it. */
  #endLongLived(now: LongLived['endsAt']): void {
    for (const one of this.#longLived) {
      if (one.endsAt !== now) continue;
      this.#longLived.delete(one);
      this.#hold.close();
      void one.end().finally(this.begin());
    }
  }

  #follow(route: Route): void {
    clearTimeout(this.#holdEnds);
    if (route.mode.kind === 'hold') {
      this.#awaitEndOfHold(route.mode.until);
    }
    this.#wakeAll();
  }

  #awaitEndOfHold(until: number): void {
    const ends = [until, until + this.#limits.stranded].find((end) => Date.now() < end);
    if (ends === undefined) return;
    const wake = () => {
      this.#wakeAll();
      this.#awaitEndOfHold(until);
    };
    this.#holdEnds = setTimeout(wake, Math.min(ends - Date.now(), longestTimer) + 1);
    this.#holdEnds.unref();
  }

  /**
   * A hold that nobody ended ends by itself: the app's own processes are asked again. Without any,
   * the switch got as far as to stop them, and whoever began it may come back and say who serves.
   */
  #isHolding(): boolean {
    const { mode, backends } = this.#route;
    if (mode.kind !== 'hold') return false;
    return Date.now() < mode.until + (backends.length === 0 ? this.#limits.stranded : 0);
  }

  /** Whether a request may still go where it was to go. */
  #leadsTo({ host, port, token }: Target): boolean {
    if (this.#isHolding()) return false;
    const now = this.#elsewhere();
    if (now) return now.host === host && now.port === port && now.token === token;
    return this.#route.backends.some((one) => one.host === host && one.port === port);
  }

  /** The edge that everything is forwarded to; null when the app is served here. */
  #elsewhere(): Target | null {
    const { mode } = this.#route;
    if (mode.kind !== 'forward') return null;
    const colon = mode.address.lastIndexOf(':');
    return {
      host: mode.address.slice(0, colon),
      port: Number(mode.address.slice(colon + 1)),
      token: mode.token,
    };
  }

  #next(wanted: string | null): Target | null {
    const elsewhere = this.#elsewhere();
    if (elsewhere) return elsewhere;
    const { backends } = this.#route;
    const backend =
      (wanted !== null && backends.find(({ name }) => name === wanted)) ||
      backends[this.#turn++ % backends.length];
    return backend ? { ...backend, token: null } : null;
  }

  /** Waits until the route changes, `timeout` ms have passed, or `signal` fires. */
  #change(timeout: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const leave = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', giveUp);
        this.#waiting.delete(waiter);
      };
      const waiter = {
        wake: () => {
          leave();
          resolve();
        },
      };
      const giveUp = () => {
        leave();
        reject(signal.reason);
      };
      const timer = setTimeout(waiter.wake, Math.min(timeout, longestTimer));
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #wakeAll(): void {
    for (const waiter of [...this.#waiting]) waiter.wake();
  }
}
