import { resolveAliases } from '../../region/aliases.js';
import type { App, Variable } from '../../region/model.js';
import type { Databases } from '../databases/databases.js';
import type { Edge } from '../edge/edge.js';
import type { Runtime, Stopping, Workload } from '../runtime/runtime.js';
import type { AppRecord } from './record.js';
import type { Shelf } from './shelf.js';

/** What the verbs for apps work with. */
export interface AppHostParts {
  readonly region: string;
  readonly shelf: Shelf;
  readonly databases: Databases;
  readonly edge: Edge;
  readonly runtime: Runtime;
}

/** Brings what runs in line with what is written down of an app. */
export class AppHost {
  readonly #parts: AppHostParts;

  constructor(parts: AppHostParts) {
    this.#parts = parts;
  }

  /** The app as others see it: with the variables of its addons, which its own outrank. */
  present(record: AppRecord): App {
    const { edge, forwardToken, buildGrants, deleting, ...rest } = record;
    return { ...rest, variables: this.#variables(record) };
  }

  /** Starts what is wanted and ends what is not; tells the edge. */
  async run(record: AppRecord, how: Pick<Stopping, 'grace'> = {}): Promise<void> {
    const workload = this.#workload(record);
    if (record.started || record.warmed) await this.#parts.runtime.run(workload);
    else await this.#parts.runtime.stop(workload, how);
    this.route(record);
  }

  /** @param scope the processes that are meant, by type or name; all when not given */
  async restart(record: AppRecord, scope?: readonly string[]): Promise<void> {
    await this.#parts.runtime.stop(this.#workload(record), { scope });
    await this.run(record);
  }

  /** Tells the edge where requests for the app go now. */
  route(record: AppRecord): void {
    const { shelf, edge, runtime, region } = this.#parts;
    // An app that is moved within the region has the same domains as the one that came of it.
    const older = shelf
      .all()
      .filter(({ createdAt, edge }) => createdAt < record.createdAt && edge.kind !== 'hidden');
    const claimed = new Set(older.flatMap(({ domains }) => domains.map(({ name }) => name)));
    const domains = record.domains.map(({ name }) => name).filter((name) => !claimed.has(name));
    edge.setRoute({
      app: record.id,
      hostnames:
        record.edge.kind === 'hidden' ? [] : [`${record.name}.${region}.localhost`, ...domains],
      canonical: record.domains.find(({ canonical }) => canonical)?.name ?? null,
      settings: record.settings,
      certificates: new Map(record.domains.flatMap(({ name, tls }) => (tls ? [[name, tls]] : []))),
      mode: record.edge,
      backends: runtime.backends(record.id),
      forwardToken: record.forwardToken,
    });
  }

  /** The host names by which clients know the app, and the certificates that they are shown. */
  reachedBy({ name, domains }: AppRecord) {
    return {
      hostnames: [`${name}.${this.#parts.region}.localhost`, ...domains.map(({ name }) => name)],
      certificates: domains.flatMap(({ name, tls }) => (tls ? [{ name, tls }] : [])),
    };
  }

  /** Writes what the edge has to say of requests to the app's log. */
  async log(app: string, lines: readonly string[]): Promise<void> {
    const record = this.#parts.shelf.find(app);
    if (!record || record.deleting) return;
    await this.#parts.runtime.log({ app, folder: this.#parts.shelf.folder(app) }, 'router', lines);
  }

  #workload(record: AppRecord): Workload {
    const folder = this.#parts.shelf.folder(record.id);
    return {
      app: record.id,
      folder,
      build: record.build && buildFolder(folder, record.build.id),
      commands: record.build?.processTypes ?? {},
      formation: record.formation.filter(({ name }) => record.started || name === 'web'),
      environment: {
        APP: record.name,
        ...Object.fromEntries(
          resolveAliases(this.#variables(record)).map(({ name, value }) => [name, value]),
        ),
      },
    };
  }

  #variables(record: AppRecord): Variable[] {
    const own = Object.entries(record.variables).map(([name, value]) => ({
      name,
      value,
      from: null,
    }));
    // Several addons of one product bring the same names: from the second on they are numbered.
    const counts = new Map<string, number>();
    const provided = record.addons.flatMap(({ id }) =>
      Object.entries(this.#parts.databases.variables(id)).map(([name, value]) => {
        const count = (counts.get(name) ?? 0) + 1;
        counts.set(name, count);
        return { name: count === 1 ? name : `${name}_${count}`, value, from: id };
      }),
    );
    const others = provided.filter(({ name }) => !Object.hasOwn(record.variables, name));
    return [...others, ...own].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** Where the unpacked build of an app is. */
export function buildFolder(folder: string, build: string): string {
  return `${folder}/builds/${build}`;
}
