import { performance } from 'node:perf_hooks';
import type { HoldReport } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { Backend, Route } from './route.js';

/** Where one request goes: to a process of the app, or to another region's edge. */
export interface Target extends Backend {
  /** What another edge knows the app by; null for the app's own processes. */
  readonly token: string | null;
}

/** Who wants to be let in. */
export interface Visitor {
  /** The process that it wants to go to, if that is there; null for any. */
  readonly wanted: string | null;
  /** Told that it is held from now on, or no longer. */
  hold(isHeld: boolean): void;
}

export interface EntranceLimits {
  /** Requests that may wait at once. */
  readonly waiting: number;
  /** How long a request waits for an app that has no process, in milliseconds. */
  readonly patience: number;
}

interface Waiter {
  readonly wake: () => void;
}

/** Node.js cannot wait longer than this at once, in milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** The way into one app: lets requests through, or has them wait. */
export class Entrance {
  readonly #limits: EntranceLimits;
  readonly #waiting = new Set<Waiter>();
  readonly #drained = new Set<() => void>();
  #route: Route;
  #turn = 0;
  #inFlight = 0;
  #held = 0;
  #holding = 0;
  #longestWait = 0;
  #expired = 0;
  #holdEnds: NodeJS.Timeout | undefined;

  constructor(route: Route, limits: EntranceLimits) {
    this.#limits = limits;
    this.#route = route;
    this.#follow(route);
  }

  get route(): Route {
    return this.#route;
  }

  /** Takes over a new route; whoever waits goes where it leads, in order of arrival. */
  update(route: Route): void {
    const begins = route.mode.kind === 'hold' && this.#route.mode.kind !== 'hold';
    if (begins) {
      this.#held = 0;
      this.#longestWait = 0;
      this.#expired = 0;
    }
    this.#follow(route);
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
   * Where the next request goes; waits while requests are held or the app has no process.
   * @throws Refusal `unavailable` when nothing came of waiting; whatever `signal` fires with
   */
  async target(signal: AbortSignal, visitor: Visitor): Promise<Target> {
    const arrived = performance.now();
    let wasHeld = false;
    let patientSince: number | null = null;
    for (;;) {
      if (this.#isHolding()) {
        patientSince = null;
        if (!wasHeld) this.#held += 1;
        wasHeld = true;
        this.#holding += 1;
        visitor.hold(true);
        try {
          await this.#change(Number.POSITIVE_INFINITY, signal);
        } finally {
          this.#holding -= 1;
          visitor.hold(false);
          this.#longestWait = Math.max(this.#longestWait, performance.now() - arrived);
        }
        continue;
      }
      const target = this.#next(visitor.wanted);
      if (target) return target;
      patientSince ??= performance.now();
      const left = this.#limits.patience - (performance.now() - patientSince);
      if (left <= 0) {
        if (wasHeld) this.#expired += 1;
        throw new Refusal(
          'unavailable',
          'The application has no process that accepts requests. Look at its logs.',
        );
      }
      await this.#change(left, signal);
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

  /** Waits until no request is with the app's processes. @returns whether that was within `timeout` ms */
  async drained(timeout: number): Promise<boolean> {
    if (this.#inFlight === 0) return true;
    return new Promise((resolve) => {
      const settle = (drained: boolean) => {
        clearTimeout(timer);
        this.#drained.delete(tell);
        resolve(drained);
      };
      const tell = () => settle(true);
      const timer = setTimeout(() => settle(false), timeout);
      this.#drained.add(tell);
    });
  }

  report(): HoldReport {
    return {
      mode: this.#isHolding() || this.#route.mode.kind !== 'hold' ? this.#route.mode.kind : 'serve',
      holding: this.#holding,
      held: this.#held,
      longestWait: Math.round(this.#longestWait),
      expired: this.#expired,
    };
  }

  #follow(route: Route): void {
    this.#route = route;
    clearTimeout(this.#holdEnds);
    if (route.mode.kind === 'hold') {
      const left = Math.min(Math.max(0, route.mode.until - Date.now()), longestTimer);
      this.#holdEnds = setTimeout(() => this.#wakeAll(), left + 1);
      this.#holdEnds.unref();
    }
    this.#wakeAll();
  }

  /** A hold that nobody ended ends by itself: the app's own processes are asked again. */
  #isHolding(): boolean {
    const { mode } = this.#route;
    return mode.kind === 'hold' && Date.now() < mode.until;
  }

  #next(wanted: string | null): Target | null {
    const { mode, backends } = this.#route;
    if (mode.kind === 'forward') {
      const colon = mode.address.lastIndexOf(':');
      return {
        host: mode.address.slice(0, colon),
        port: Number(mode.address.slice(colon + 1)),
        token: mode.token,
      };
    }
    const backend =
      (wanted !== null && backends.find(({ name }) => name === wanted)) ||
      backends[this.#turn++ % backends.length];
    return backend ? { ...backend, token: null } : null;
  }

  /** Waits until the route changes, `timeout` ms have passed, or `signal` fires. */
  #change(timeout: number, signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#limits.waiting) {
      throw new Refusal('unavailable', 'Too many requests are waiting. Try again in a moment.');
    }
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
