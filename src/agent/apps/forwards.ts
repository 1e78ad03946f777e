import { Mutex } from 'async-mutex';
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

/** How often it is looked whether one is over, in milliseconds. */
const rounds = 60_000;

/** The forwards that apps left behind. An app that is there outranks them. */
export class Forwards {
  readonly #file: string;
  readonly #edge: Edge;
  readonly #leaving = new Mutex();
  #all: readonly Left[] = [];
  #looking: NodeJS.Timeout | undefined;

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
    this.#looking = setInterval(() => this.route(), rounds);
  }

  /** Written down before anybody relies on it; in place of what led the same names elsewhere. */
  async leave(next: Left): Promise<void> {
    await this.#leaving.runExclusive(async () => {
      const [others, replaced] = partition(
        this.#all,
        ({ app, hostnames }) =>
          app !== next.app && !hostnames.some((name) => next.hostnames.includes(name)),
      );
      await writeJsonFile(this.#file, [...others, next]);
      this.#all = [...others, next];
      // From here to the end at once: nobody finds a name that leads nowhere.
      for (const { app } of replaced) this.#edge.removeRoute(routeOf(app));
      this.route();
    });
  }

  /** Looks no more whether one is over. */
  close(): void {
    clearInterval(this.#looking);
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

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [T[], T[]] {
  return [items.filter(isFirst), items.filter((item) => !isFirst(item))];
}
