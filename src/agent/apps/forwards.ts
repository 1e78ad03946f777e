import { z } from 'zod';
import { domainTls } from '../../region/model.js';
import { readJsonFile, writeJsonFile } from '../../shared/json-file.js';
import type { Edge } from '../edge/edge.js';

/** What leads the clients of an app that is gone to another region. */
const left = z.object({
  /** Id of the app. */
  app: z.string(),
  hostnames: z.array(z.string()),
  certificates: z.array(z.object({ name: z.string(), tls: domainTls })),
  address: z.string(),
  token: z.string(),
  /** Milliseconds since the epoch. */
  until: z.number(),
});
type Left = z.infer<typeof left>;

/** The forwards that apps left behind. An app that is there outranks them. */
export class Forwards {
  readonly #file: string;
  readonly #edge: Edge;
  #all: readonly Left[] = [];

  constructor(parts: { file: string; edge: Edge }) {
    this.#file = parts.file;
    this.#edge = parts.edge;
  }

  async open(): Promise<void> {
    const now = Date.now();
    this.#all = ((await readJsonFile(this.#file, z.array(left))) ?? []).filter(
      ({ until }) => until > now,
    );
    this.route();
  }

  /** Written down before anybody relies on it; in place of what led the same names elsewhere. */
  async leave(next: Left): Promise<void> {
    const others = this.#all.filter(
      ({ app, hostnames }) =>
        app !== next.app && !hostnames.some((name) => next.hostnames.includes(name)),
    );
    for (const { app } of this.#all) this.#edge.removeRoute(routeOf(app));
    this.#all = [...others, next];
    await writeJsonFile(this.#file, this.#all);
    this.route();
  }

  /** Tells the edge; again when an app is removed that had one of the names. */
  route(): void {
    const now = Date.now();
    for (const { app, hostnames, certificates, address, token, until } of this.#all) {
      if (until <= now) {
        this.#edge.removeRoute(routeOf(app));
        continue;
      }
      this.#edge.setRoute({
        app: routeOf(app),
        hostnames: hostnames.filter((name) => !this.#edge.isKnown(name, routeOf(app))),
        certificates: new Map(certificates.map(({ name, tls }) => [name, tls])),
        mode: { kind: 'forward', address, token },
        backends: [],
        forwardToken: null,
      });
    }
  }
}

/** Apart from the route of the app itself, while that is still there. */
const routeOf = (app: string) => `forward ${app}`;
