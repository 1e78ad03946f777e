/**
 * The one interface between the control plane and a region, whatever the region runs on.
 *
 * Each verb is declared once, here, with its schemas; client and agent are both checked against
 * the declaration. Every change is idempotent: to repeat it after a crash is always right. A
 * change is made either by the app's owner or on behalf of one migration (see
 * {@link Region.onBehalfOf}); an app frozen by a migration refuses everybody else's.
 */
import { z } from 'zod';
import * as attachments from './attachments.js';
import * as model from './model.js';
import { type Verb, verb } from './verb.js';

const app = { app: model.id };
const ofProcesses = { of: z.array(z.string()).optional() };
const listed = z.enum(['collaborator', 'notifier', 'alert', 'logDrain', 'autoscaler', 'scmLink']);
const attachment = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('collaborator'), item: model.collaborator }),
  z.object({ kind: z.literal('notifier'), item: attachments.notifier }),
  z.object({ kind: z.literal('alert'), item: attachments.alert }),
  z.object({ kind: z.literal('logDrain'), item: attachments.logDrain }),
  z.object({ kind: z.literal('autoscaler'), item: attachments.autoscaler }),
  z.object({ kind: z.literal('scmLink'), item: attachments.scmLink }),
]);
/** Something attached to an app, and what kind of thing it is. */
export type Attachment = z.infer<typeof attachment>;
export type AttachmentKind = z.infer<typeof listed>;

const database = { database: model.id };

/** Where somebody comes from who is let in; anywhere, if that is not given. */
const origins = z.array(z.string()).optional();

/** Reads; they change nothing. */
const looking = {
  describe: verb({}, model.regionDescription),
  listApps: verb({}, z.array(model.app)),
  /** By id or name. */
  findApp: verb({ ref: z.string() }, model.app.nullable()),
  health: verb(app, model.appHealth),
  /** The last lines of the log; `of` names the processes that are meant, by type or name. */
  logs: verb(
    { ...app, lines: z.number().int().min(0).max(10_000), ...ofProcesses },
    model.logLines,
  ),
  /** What came after the `end` of an earlier answer; waits for something, for at most `wait` ms. */
  logsAfter: verb(
    { ...app, end: z.string(), wait: z.number().int().min(0).max(60_000), ...ofProcesses },
    model.logLines,
  ),
  listDeployments: verb(app, z.array(model.deployment)),
  /** Reads the app's build. Refuses (conflict) one that is not there, or not what it was. */
  verifyBuild: verb(app),
  /** Bytes of memory that the app's processes take. */
  memoryOf: verb(app, z.object({ memory: z.number() })),
  room: verb({}, model.room),
  /** Waits for a moment to be connected to, as one of the region's databases is. */
  offerProbe: verb({ from: origins }, model.probeOffer),
  /** Tries to reach another region in the ways that are named. */
  reach: verb({ neighbour: model.neighbour }, z.object({ failures: z.array(z.string()) })),
  /** Copies for half a second at most, and keeps nothing of it. Refuses (unavailable) when it cannot. */
  takeSample: verb({ offer: model.probeOffer }, model.sample),
  /** Null when it was never begun, or is long over. */
  findOperation: verb({ ...app, operation: model.id }, model.operation.nullable()),
};

/** Life of an app and its settings. */
const apps = {
  /**
   * Creates an app that is not started. `id` makes repeating it harmless. What a migration creates
   * is frozen by it.
   * Refuses (conflict, `name_taken`) a name that another app of the region has.
   */
  createApp: verb({ id: model.id, name: model.appName, owner: model.userOfApp }, model.app),
  /** Stops and removes the app with all that belongs to it, its databases included. */
  deleteApp: verb(app),
  renameApp: verb({ ...app, name: model.appName }, model.app),
  /** Sets what is given; the rest stays. Refuses (invalid) a stack that the region does not have. */
  setSettings: verb(
    {
      ...app,
      settings: model.someSettings,
      stack: z.string().optional(),
      limits: z.record(z.string(), z.number()).optional(),
      flags: z.record(z.string(), z.boolean()).optional(),
    },
    model.app,
  ),
  /** Makes a collaborator who accepted the owner, and the owner a collaborator. */
  transferApp: verb({ ...app, owner: model.userOfApp }, model.app),
  /** Sets and removes variables of the owner's; running processes see them after a restart. */
  changeVariables: verb(
    { ...app, set: z.record(model.variableName, model.variableValue), unset: z.array(z.string()) },
    model.app,
  ),
  /**
   * Sets the amount of each process type named; new ones come last, in the order given. `operation`
   * is what it can be found by later.
   */
  scale: verb({ ...app, formation: model.formation, operation: model.id.optional() }, model.app),
  /** A canonical one takes the place of the one before. */
  addDomain: verb({ ...app, domain: model.domain }, model.app),
  removeDomain: verb({ ...app, domain: model.id }, model.app),
  /** Gives a domain of the app a certificate, also while it is served, or (null) takes it away. */
  setCertificate: verb({ ...app, domain: model.id, tls: model.domainTls.nullable() }, model.app),
  /** Makes a domain of the app its canonical one, or (null) none. */
  setCanonicalDomain: verb({ ...app, domain: model.id.nullable() }, model.app),
  /** Adds something to the app, last of its kind, or replaces what has the same id, in its place. */
  attach: verb({ ...app, attachment }, model.app),
  /** Takes away what has that id, if it is there. */
  detach: verb({ ...app, kind: listed, id: z.string() }, model.app),
  /** Starts the wanted processes; returns before they are healthy. */
  start: verb(app),
  /** Starts the web processes of an app that is stopped, ahead of a switch; {@link start} adds the rest. */
  warm: verb(app),
  /** Ends all processes (SIGTERM, then after `grace` ms SIGKILL, the region's usual patience when not given); returns when none runs. */
  stop: verb({ ...app, grace: z.number().int().min(0).optional() }),
  /**
   * Starts processes anew, with the variables of now: those in `scope`, named by type (`web`) or
   * by name (`web-1`), or all. `operation` is what it can be found by later.
   */
  restart: verb({
    ...app,
    scope: z.array(z.string()).optional(),
    operation: model.id.optional(),
  }),
  /**
   * From now on only changes on behalf of `migration` are accepted. What was begun before is waited
   * for: an addon being provisioned, a deployment being built. Refuses (conflict, `busy`) when that
   * takes longer than a minute; nothing is frozen then.
   */
  freeze: verb({ ...app, migration: z.uuid() }),
  /** Everybody's changes are accepted again; a freeze by `migration` that still waits is given up. */
  thaw: verb({ ...app, migration: z.uuid() }),
};

/** Builds. Artefacts travel from region to region, never through the control plane. */
const builds = {
  /** Builds an archive that was stored with {@link Region.storeSource}; goes on after returning. */
  deploy: verb(
    { ...app, source: model.id, gitRef: z.string().optional(), pusher: model.user.optional() },
    model.deployment,
  ),
  /** Removes what builds of the app keep between them. Refuses (conflict) while one uses it. */
  purgeCache: verb(app),
  /** Lets another region fetch the app's build, once, within the hour. */
  grantBuild: verb(app, z.object({ url: z.string(), token: z.string() })),
  /**
   * Fetches a build from another region, checks its digest and makes it the app's, with the record
   * of the deployment that made it. Interrupted and repeated, it goes on where it was.
   */
  fetchBuild: verb({
    ...app,
    build: model.build,
    deployment: model.deployment.nullable(),
    lastDeployment: model.lastDeployment.nullable(),
    url: z.string(),
    token: z.string(),
  }),
};

/** Addons and, by the same id, the databases behind them. */
const databases = {
  /** Provisions an addon: a new empty primary, or (`empty`) something that can be made to follow. */
  addAddon: verb(
    {
      ...app,
      id: model.id,
      product: z.string(),
      plan: z.string(),
      version: z.string().nullable(),
      role: z.enum(['primary', 'empty']),
    },
    model.addon,
  ),
  removeAddon: verb({ ...app, addon: model.id }),

  /** `to` is where it is to be followed. */
  inspect: verb({ ...database, to: model.platform.optional() }, model.inspection),
  /** The variables that it provides, also those that the owner's outrank; none while it is `empty`. */
  provides: verb(database, z.record(z.string(), z.string())),
  /**
   * Lets one follower, named by the migration, copy and follow; `to` is what that one runs on, `from` where it
   * comes from, as its region describes itself: anywhere, if that is not given. Repeated, it gives the same
   * endpoint, and lets it in from where it comes from by now.
   */
  grantFollow: verb(
    { ...database, follower: z.uuid(), to: model.platform.optional(), from: origins },
    model.endpoint,
  ),
  /** Takes the credential away, ends its sessions, and lets go of what was kept for the follower. */
  revokeFollow: verb({ ...database, follower: z.uuid() }),
  /** Starts to copy and then follow, wiping what was there; already following that endpoint, it does nothing. */
  follow: verb({ ...database, endpoint: model.endpoint }),
  following: verb(database, model.following),
  /** Makes a fence that comes soon a short one, by writing out now what can be written out now. */
  flush: verb(database),
  position: verb(database, model.position),
  /** What of it can be compared with a follower of it; null when its product cannot do that. */
  contents: verb(database, model.contents.nullable()),
  /**
   * What the rows of some ranges of a part come to, each as it is at one moment. Null when there is no
   * such part. Refuses (too-large) what takes too long.
   */
  digest: verb(
    { ...database, part: z.string(), looks: z.array(model.look).min(1).max(1_000) },
    model.seen.nullable(),
  ),
  /**
   * Returns when the follower has replayed `position`; refuses (unavailable) after `timeout` ms, and (conflict,
   * `cut_off`) when it has lost its primary, and cannot come there unless that is fenced once more.
   */
  waitFor: verb({ ...database, position: model.position, timeout: z.number().int() }),
  /**
   * From its return no client can write or connect, after a crash neither, until `unfence`. Fenced `again`, it lets
   * followers have an end of its history that they missed: none of them may have been promoted.
   */
  fence: verb({ ...database, again: z.boolean().optional() }, model.position),
  unfence: verb(database),
  /** Makes the follower a primary. */
  promote: verb(database),
  /** Makes a fenced former primary follow the new one, without a new copy. */
  followBack: verb({ ...database, endpoint: model.endpoint }),
  /**
   * Makes sure that a follower can never be written to: promoted or not, it ends `empty`.
   * Only then may its former primary be unfenced.
   */
  standDown: verb(database),
};

/** The edge. */
const edge = {
  /**
   * Requests for the app wait, for at most `budget` ms, or longer while it has no process to serve
   * them. Repeated while holding, it keeps the earlier end. Those that are being answered get up to
   * `drain` ms to end; a third of the budget when that is not given.
   */
  hold: verb({ ...app, budget: z.number().int(), drain: z.number().int().optional() }),
  /** Requests, held ones first, go to the app's own processes; it is found by its host names. */
  serve: verb(app),
  /** No host name leads to the app any more. So it is with an app that a migration creates. */
  hide: verb(app),
  /** Lets another region's edge forward requests for the app whatever their Host. Repeated, it gives the same. */
  grantForward: verb(app, z.object({ address: z.string(), token: z.string() })),
  /** Requests, held ones first, go to another region's edge. */
  forward: verb({ ...app, address: z.string(), token: z.string() }),
  /** Takes the token of {@link Region.grantForward} away. */
  revokeForward: verb(app),
  /**
   * From now on, also when the app is gone, requests for its host names go to another region's
   * edge, until `until` (ms since the epoch) or until another app has the name.
   */
  leaveForward: verb({ ...app, address: z.string(), token: z.string(), until: z.number() }),
  holdReport: verb(app, model.holdReport),
};

export const verbs = { ...looking, ...apps, ...builds, ...databases, ...edge };

/** A region that can only be looked at. */
export type Looks = Pick<Region, 'name' | keyof typeof looking | 'inspect' | 'provides'>;

export type Verbs = typeof verbs;
export type VerbName = keyof Verbs;
export type InputOf<V> = V extends { readonly input: z.ZodType<infer Input> } ? Input : never;
export type OutputOf<V> = V extends { readonly output: z.ZodType<infer Output> } ? Output : never;

type VerbTable = { readonly [V in VerbName]: Verb<InputOf<Verbs[V]>, OutputOf<Verbs[V]>> };
const table: VerbTable = verbs;

/** The declaration of one verb. */
export function verbNamed<V extends VerbName>(name: V): VerbTable[V] {
  return table[name];
}

/** Whether there is such a verb. */
export function isVerbName(name: string): name is VerbName {
  return Object.hasOwn(verbs, name);
}

/** Something that can do the named verbs. */
export type Does<Names extends VerbName> = {
  [V in Names]: (input: InputOf<Verbs[V]>) => Promise<OutputOf<Verbs[V]>>;
};

export type DatabaseVerbName = Exclude<keyof typeof databases, 'addAddon' | 'removeAddon'>;

/** How a migration asks. */
export interface Behalf {
  /** Calls end when it fires. */
  readonly signal?: AbortSignal;
  /** Of two calls that belong to different turns, a region refuses the one with the lower number if it hears it later. */
  readonly turn?: number;
  /** For how long a region that cannot be reached is waited for, in milliseconds; not long if not given. */
  readonly patience?: number;
}

/** A region, as the control plane sees it. Verbs throw a `Refusal`; `unavailable` when it cannot be reached. */
export interface Region extends Does<VerbName> {
  readonly name: string;
  /** The same region, every change being made on behalf of a migration. */
  onBehalfOf(migration: string, how?: Behalf): Region;
  /** Stores an archive (`.tar.gz`) for {@link Verbs.deploy}. Refuses (too-large) what exceeds the region's limit. */
  storeSource(source: string, archive: NodeJS.ReadableStream): Promise<void>;
}
