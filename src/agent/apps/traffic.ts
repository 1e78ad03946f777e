import { newSecret } from '../../shared/ids.js';
import type { Edge } from '../edge/edge.js';
import type { Behalf, Performs } from '../verbs.js';
import type { AppHost } from './app-host.js';
import type { Forwards } from './forwards.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<
  | 'hold'
  | 'serve'
  | 'hide'
  | 'grantForward'
  | 'revokeForward'
  | 'forward'
  | 'leaveForward'
  | 'holdReport'
>;

/** How long a hold waits for requests that the app is answering, in milliseconds. */
const usualDrainTime = 10_000;

/** Where requests for an app go. */
export class Traffic implements Verbs {
  readonly #shelf: Shelf;
  readonly #host: AppHost;
  readonly #edge: Edge;
  readonly #forwards: Forwards;
  readonly #drainTime: number;

  constructor(parts: {
    shelf: Shelf;
    host: AppHost;
    edge: Edge;
    forwards: Forwards;
    drainTime?: number | undefined;
  }) {
    this.#shelf = parts.shelf;
    this.#host = parts.host;
    this.#edge = parts.edge;
    this.#forwards = parts.forwards;
    this.#drainTime = parts.drainTime ?? usualDrainTime;
  }

  /** Returns when the app has answered what it had been passed before, or took too long to. */
  async hold(
    { app, budget, drain }: { app: string; budget: number; drain?: number | undefined },
    by: Behalf,
  ) {
    await this.#shelf.change(
      app,
      by,
      (record) => {
        if (record.edge.kind === 'hold' && record.edge.until > Date.now()) return record;
        return { ...record, edge: { kind: 'hold', until: Date.now() + budget } };
      },
      async (record) => this.#host.route(record),
    );
    await this.#edge.drained(app, Math.min(this.#drainTime, drain ?? budget / 3));
    return null;
  }

  async serve({ app }: { app: string }, by: Behalf) {
    await this.#shelf.change(
      app,
      by,
      (record) => ({ ...record, edge: { kind: 'serve' } }),
      async (record) => this.#host.route(record),
    );
    return null;
  }

  async hide({ app }: { app: string }, by: Behalf) {
    await this.#shelf.change(
      app,
      by,
      (record) => ({ ...record, edge: { kind: 'hidden' } }),
      async (record) => this.#host.route(record),
    );
    return null;
  }

  async revokeForward({ app }: { app: string }, by: Behalf) {
    await this.#shelf.change(
      app,
      by,
      (record) => ({ ...record, forwardToken: null }),
      async (record) => this.#host.route(record),
    );
    return null;
  }

  async leaveForward(
    input: { app: string; address: string; token: string; until: number },
    by: Behalf,
  ) {
    const { app, address, token, until } = input;
    await this.#shelf.change(
      app,
      by,
      (record) => record,
      async (record) => {
        await this.#forwards.leave({ ...this.#host.reachedBy(record), app, address, token, until });
      },
    );
    return null;
  }

  async forward(input: { app: string; address: string; token: string }, by: Behalf) {
    const { address, token } = input;
    await this.#shelf.change(
      input.app,
      by,
      (record) => ({ ...record, edge: { kind: 'forward', address, token } }),
      async (record) => this.#host.route(record),
    );
    return null;
  }

  async grantForward({ app }: { app: string }, by: Behalf) {
    const { forwardToken } = await this.#shelf.change(
      app,
      by,
      (record) => (record.forwardToken ? record : { ...record, forwardToken: newSecret() }),
      async (record) => this.#host.route(record),
    );
    if (forwardToken === null) throw new Error(`app ${app} has no forward token`);
    return { address: this.#edge.address, token: forwardToken };
  }

  async holdReport({ app }: { app: string }) {
    this.#shelf.get(app);
    return this.#edge.report(app);
  }
}
