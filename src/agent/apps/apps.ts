import pRetry from 'p-retry';
import type { z } from 'zod';
import { collaborationOf } from '../../region/collaboration.js';
import type { DomainTls, FormationEntry, stack, User } from '../../region/model.js';
import type { InputOf, Verbs as RegionVerbs } from '../../region/region.js';
import { Refusal } from '../../shared/errors.js';
import type { Logger } from '../../shared/logging.js';
import type { Databases } from '../databases/databases.js';
import type { Edge } from '../edge/edge.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Behalf, Performs } from '../verbs.js';
import type { AppHost } from './app-host.js';
import type { Deployments } from './deployments.js';
import type { Forwards } from './forwards.js';
import type { Operations } from './operations.js';
import { type AppRecord, newAppRecord } from './record.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<
  | 'listApps'
  | 'findApp'
  | 'health'
  | 'logs'
  | 'logsAfter'
  | 'createApp'
  | 'deleteApp'
  | 'renameApp'
  | 'setSettings'
  | 'changeVariables'
  | 'scale'
  | 'addDomain'
  | 'removeDomain'
  | 'setCertificate'
  | 'setCanonicalDomain'
  | 'transferApp'
  | 'findOperation'
  | 'start'
  | 'warm'
  | 'stop'
  | 'restart'
>;

export interface AppsParts {
  readonly host: AppHost;
  readonly shelf: Shelf;
  readonly databases: Databases;
  readonly edge: Edge;
  readonly runtime: Runtime;
  readonly deployments: Deployments;
  readonly operations: Operations;
  readonly forwards: Forwards;
  readonly logger: Logger;
  /** What an app can be built for here. */
  readonly stacks: readonly z.infer<typeof stack>[];
}

const hostname = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$/;

/** Where regions have apps answer by themselves. */
const ofRegion = /^[^.]+\.[^.]+\.localhost$/;

/** Life of the apps of a region, and their settings. */
export class Apps implements Verbs {
  readonly #parts: AppsParts;
  readonly #leaving = new AbortController();

  constructor(parts: AppsParts) {
    this.#parts = parts;
  }

  /** Lets run what should, and goes on with removals that were interrupted. */
  async recover(): Promise<void> {
    const { shelf, host, logger } = this.#parts;
    for (const { id } of shelf.removals()) {
      // A disk that is full or broken keeps nobody else waiting.
      pRetry(() => this.#remove(id, null), {
        ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 1_000, maxTimeout: 60_000 },
        onFailedAttempt: ({ error }) =>
          logger.error({ err: error, app: id }, 'an application cannot be removed'),
        signal: this.#leaving.signal,
      }).catch(() => undefined); // the agent ends; the next one goes on
    }
    await Promise.all(shelf.all().map((record) => host.run(record)));
  }

  /** Lets go of what goes on in this process. */
  leave(): void {
    this.#leaving.abort();
  }

  /** Ends what runs, for as long as the agent is away. */
  async rest(): Promise<void> {
    const { shelf, runtime } = this.#parts;
    await Promise.all(shelf.all().map(({ id }) => runtime.stop(this.#place(id))));
  }

  async listApps() {
    const { shelf, host } = this.#parts;
    return shelf.all().map((record) => host.present(record));
  }

  async findApp({ ref }: { ref: string }) {
    const record = this.#parts.shelf.find(ref);
    return record && this.#parts.host.present(record);
  }

  async health({ app }: { app: string }) {
    const { started, warmed } = this.#parts.shelf.get(app);
    const seen = this.#parts.runtime.health(app);
    return started || warmed ? seen : { ...seen, state: 'stopped' as const };
  }

  async logs({ app, lines, of }: { app: string; lines: number; of?: string[] | undefined }) {
    this.#parts.shelf.get(app);
    return this.#parts.runtime.logs(this.#place(app), lines, of);
  }

  async logsAfter(input: { app: string; end: string; wait: number; of?: string[] | undefined }) {
    const { app, end, wait, of } = input;
    this.#parts.shelf.get(app);
    return this.#parts.runtime.logsAfter(this.#place(app), end, wait, of);
  }

  async createApp(input: { id: string; name: string; owner: AppRecord['owner'] }, by: Behalf) {
    const { shelf, host } = this.#parts;
    const record = await shelf.create(newAppRecord({ ...input, madeBy: by }));
    host.route(record);
    return host.present(record);
  }

  async deleteApp({ app }: { app: string }, by: Behalf) {
    await this.#remove(app, by);
    return null;
  }

  async renameApp({ app, name }: { app: string; name: string }, by: Behalf) {
    const { shelf, host } = this.#parts;
    const record = await shelf.rename(app, by, name);
    host.route(record);
    return host.present(record);
  }

  setSettings(input: InputOf<RegionVerbs['setSettings']>, by: Behalf) {
    const { app, settings, stack, limits, flags } = input;
    if (stack !== undefined) this.#requireStack(stack);
    return this.#change(app, by, (record) => ({
      ...record,
      settings: {
        ...record.settings,
        ...settings,
        forceHttps: settings.forceHttps ?? record.settings.forceHttps,
        stickySession: settings.stickySession ?? record.settings.stickySession,
        routerLogs: settings.routerLogs ?? record.settings.routerLogs,
        prewarm: settings.prewarm ?? record.settings.prewarm,
      },
      stack: stack ?? record.stack,
      limits: limits ?? record.limits,
      flags: flags ?? record.flags,
    }));
  }

  transferApp({ app, owner }: { app: string; owner: User }, by: Behalf) {
    return this.#change(app, by, (record) => {
      if (record.owner.id === owner.id) return record;
      const accepted = collaborationOf(owner, record);
      if (!accepted) {
        const what = `${owner.email} does not collaborate on ${record.name}. Invite them first; they own it once they have accepted.`;
        throw Refusal.invalid('owner', what);
      }
      const former = { ...record.owner, userId: record.owner.id, status: 'accepted' as const };
      const others = record.collaborators.filter(({ id }) => id !== accepted.id);
      return { ...record, owner, collaborators: [...others, former] };
    });
  }

  changeVariables(
    { app, set, unset }: { app: string; set: Record<string, string>; unset: readonly string[] },
    by: Behalf,
  ) {
    return this.#change(app, by, (record) => {
      const variables = { ...record.variables, ...set };
      for (const name of unset) delete variables[name];
      return { ...record, variables };
    });
  }

  scale(input: InputOf<RegionVerbs['scale']>, by: Behalf) {
    const { app, formation, operation } = input;
    const { operations, host } = this.#parts;
    return operations.during(app, { id: operation, type: 'scale' }, () =>
      this.#change(
        app,
        by,
        (record) => ({ ...record, formation: scaled(record, formation) }),
        (record) => (record.started ? host.run(record) : Promise.resolve()),
      ),
    );
  }

  findOperation(input: { app: string; operation: string }) {
    return this.#parts.operations.find(input);
  }

  addDomain({ app, domain }: { app: string; domain: AppRecord['domains'][number] }, by: Behalf) {
    const name = domain.name.toLowerCase();
    if (!hostname.test(name)) {
      throw Refusal.invalid('name', `"${domain.name}" is no host name, such as www.example.org.`);
    }
    if (ofRegion.test(name)) {
      throw Refusal.invalid(
        'name',
        `${name} is how a region calls an app of its own. Choose another.`,
      );
    }
    return this.#change(app, by, (record) => {
      if (record.domains.some(({ id }) => id === domain.id)) return record;
      const holder = this.#parts.shelf
        .all()
        .find((other) => other.domains.some((known) => known.name === name));
      if (holder && (by === null || holder.frozenBy !== by)) {
        throw Refusal.conflict('domain_taken', `${name} belongs to an application of this region.`);
      }
      const known = domain.canonical ? record.domains.map(notCanonical) : record.domains;
      return { ...record, domains: [...known, { ...domain, name }] };
    });
  }

  removeDomain({ app, domain }: { app: string; domain: string }, by: Behalf) {
    return this.#change(app, by, (record) => ({
      ...record,
      domains: record.domains.filter(({ id }) => id !== domain),
    }));
  }

  setCertificate(input: { app: string; domain: string; tls: DomainTls | null }, by: Behalf) {
    const { app, domain, tls } = input;
    return this.#change(app, by, (record) => {
      requireDomain(record, domain);
      const domains = record.domains.map((one) => (one.id === domain ? { ...one, tls } : one));
      return { ...record, domains };
    });
  }

  setCanonicalDomain({ app, domain }: { app: string; domain: string | null }, by: Behalf) {
    return this.#change(app, by, (record) => {
      if (domain !== null) requireDomain(record, domain);
      const domains = record.domains.map((one) => ({ ...one, canonical: one.id === domain }));
      return { ...record, domains };
    });
  }

  /** Whoever starts an app that no client can reach wants it to be reached; a migration says when. */
  async start({ app }: { app: string }, by: Behalf) {
    await this.#parts.shelf.change(
      app,
      by,
      (record) => ({
        ...record,
        ...{ started: true, warmed: false },
        edge: by === null && record.edge.kind === 'hidden' ? { kind: 'serve' } : record.edge,
      }),
      (record) => this.#parts.host.run(record),
    );
    return null;
  }

  async warm({ app }: { app: string }, by: Behalf) {
    const { shelf, host } = this.#parts;
    await shelf.change(
      app,
      by,
      (record) => (record.started ? record : { ...record, warmed: true }),
      (record) => host.run(record),
    );
    return null;
  }

  async stop({ app, grace }: { app: string; grace?: number | undefined }, by: Behalf) {
    await this.#run(app, by, false, (record) => this.#parts.host.run(record, { grace }));
    return null;
  }

  async restart(input: InputOf<RegionVerbs['restart']>, by: Behalf) {
    const { app, operation } = input;
    const { operations, host } = this.#parts;
    const scope = input.scope?.length ? input.scope : undefined;
    await operations.during(app, { id: operation, type: 'restart' }, async () => {
      if (scope) requireProcesses(this.#parts.shelf.get(app), scope);
      await this.#run(app, by, true, (record) => host.restart(record, scope));
    });
    return null;
  }

  #requireStack(wanted: string): void {
    const { stacks } = this.#parts;
    if (stacks.some(({ id }) => id === wanted)) return;
    const known = stacks.map(({ id, name }) => `${id} (${name})`).join(', ');
    throw Refusal.invalid('stack_id', `There is no stack "${wanted}" here; there is ${known}.`);
  }

  async #remove(app: string, by: Behalf): Promise<void> {
    const { shelf, edge, runtime, databases, deployments, forwards } = this.#parts;
    await deployments.cancel(app);
    await shelf.remove(app, by, async ({ id, addons }) => {
      edge.removeRoute(id);
      forwards.route();
      await runtime.stop(this.#place(id));
      runtime.forget(id);
      await deployments.forgetCache(id);
      await Promise.all(addons.map((addon) => databases.deprovision(addon.id)));
    });
  }

  async #run(app: string, by: Behalf, started: boolean, act: (record: AppRecord) => Promise<void>) {
    await this.#parts.shelf.change(
      app,
      by,
      (record) => ({ ...record, started, warmed: false }),
      act,
    );
  }

  async #change(
    app: string,
    by: Behalf,
    edit: (record: AppRecord) => AppRecord,
    act?: (record: AppRecord) => Promise<void>,
  ) {
    const { shelf, host } = this.#parts;
    const record = await shelf.change(app, by, edit, act);
    host.route(record);
    return host.present(record);
  }

  #place(app: string) {
    return { app, folder: this.#parts.shelf.folder(app) };
  }
}

function scaled({ build, formation }: AppRecord, wanted: readonly FormationEntry[]) {
  const names = wanted.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw Refusal.invalid('containers', `names "${twice}" twice.`);
  for (const { name } of wanted) {
    if (build && !Object.hasOwn(build.processTypes, name)) {
      const known = Object.keys(build.processTypes).join(', ');
      throw Refusal.invalid('containers', `The Procfile has no "${name}"; it has ${known}.`);
    }
  }
  const kept = formation.map((entry) => ({
    ...entry,
    ...wanted.find(({ name }) => name === entry.name),
  }));
  const added = wanted.filter(({ name }) => !formation.some((entry) => entry.name === name));
  return [...kept, ...added];
}

const notCanonical = <D extends { canonical: boolean }>(domain: D): D => ({
  ...domain,
  canonical: false,
});

/** @throws Refusal `not-found` */
function requireDomain({ name, domains }: AppRecord, domain: string): void {
  if (domains.some(({ id }) => id === domain)) return;
  throw Refusal.notFound('Domain', `${name} has no domain ${domain}.`);
}

/** @throws Refusal `invalid` when a scope names what the formation does not have */
function requireProcesses({ formation }: AppRecord, scope: readonly string[]): void {
  const known = formation.flatMap(({ name, amount }) => [
    name,
    ...Array.from({ length: amount }, (_, index) => `${name}-${index + 1}`),
  ]);
  const unknown = scope.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw Refusal.invalid(
    'scope',
    `There is no "${unknown}"; there is ${known.join(', ') || 'none'}.`,
  );
}
