/**
 * What a region hosts: apps, their addons and the databases behind them, as region and engine speak
 * of it. What describes an app keeps fields that this version does not know: a later one may have
 * written them, and they are the app's.
 */
import { z } from 'zod';
import { alert, autoscaler, logDrain, notifier, scmLink } from './attachments.js';

/** Id of an app, addon (and the database behind it), build or deployment: 24 hexadecimal digits. */
export const id = z.string().regex(/^[0-9a-f]{24}$/, 'must be 24 hexadecimal digits');

/** Name that an app has: a label of a host name. */
const label = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,46}[a-z0-9]$/,
    'must be 2 to 48 lower-case letters, digits and hyphens, not starting or ending with a hyphen',
  );

/** Name that an app can be given: one that cannot be taken for anything else. */
export const appName = label
  .refine((name) => !name.includes('--'), 'must not have two hyphens in a row')
  .refine((name) => !id.safeParse(name).success, 'must not look like an id')
  .refine((name) => name !== 'collaboration', 'is a word of the API: choose another');

export const variableName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,254}$/,
    'must be letters, digits and underscores, not starting with a digit',
  )
  .refine((name) => name !== '__proto__', '"__proto__" cannot be the name of a variable');

/** What a process can be given as the value of a variable. */
export const variableValue = z
  .string()
  .max(32_768, 'must have at most 32768 characters')
  .refine((value) => !value.includes('\0'), 'must not have a NUL character');

export const user = z.object({ id: z.string(), username: z.string(), email: z.string() });
export type User = z.infer<typeof user>;

/** A user as an app has them: as its owner, and whoever deployed it. */
export const userOfApp = user.loose();

/** Somebody beside the owner who may see the app, or is invited to. */
export const collaborator = z.looseObject({
  id: z.string(),
  /** `n/a` until the invitation is accepted. */
  username: z.string(),
  email: z.string(),
  status: z.enum(['pending', 'accepted']),
  /** Whose account it is; null while pending. Where it is not said, `id` is the account's. */
  userId: z.string().nullish(),
  /** May look, deploy, scale and restart; may not see secrets or change settings. */
  isLimited: z.boolean().optional(),
  /** Who invited them. */
  inviter: z.looseObject({ username: z.string(), email: z.string() }).nullish(),
  /** SHA-256 of what proves the invitation, in hexadecimal digits. */
  invitation: z.string().nullish(),
});
export type Collaborator = z.infer<typeof collaborator>;

/** How the edge treats the app's requests, and how a migration treats the app. */
export const settings = z.looseObject({
  /** Requests over plain HTTP are redirected. */
  forceHttps: z.boolean(),
  /** Requests of one client go to one process, as long as it is there. */
  stickySession: z.boolean(),
  /** Every request leaves a line in the app's log. */
  routerLogs: z.boolean(),
  /** It can start while its databases take no writes yet; a switch is shorter then. */
  prewarm: z.boolean().default(false),
});
export type Settings = z.infer<typeof settings>;

/** Some of the settings; what is not given has no default here. */
export const someSettings = settings.extend({ prewarm: z.boolean() }).partial();

/** A variable; `from` names the addon that provides it, null for the owner's own. */
export const variable = z.object({ name: variableName, value: z.string(), from: id.nullable() });
export type Variable = z.infer<typeof variable>;

/** One process type of the formation and how many of it are wanted. */
export const formationEntry = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  amount: z.number().int().min(0).max(20),
});
export type FormationEntry = z.infer<typeof formationEntry>;

/** The process types of an app, in its order. */
export const formation = z.array(formationEntry.loose());

/** A certificate with those of its issuers, and its private key, both in PEM. The key is secret. */
export const domainTls = z.looseObject({ certificate: z.string(), key: z.string() });
export type DomainTls = z.infer<typeof domainTls>;

/** A host name of the app; at most one of them is canonical. */
export const domain = z.looseObject({
  id,
  name: z.string(),
  canonical: z.boolean(),
  createdAt: z.string().optional(),
  /** Null when clients are shown the region's own certificate. */
  tls: domainTls.nullable().default(null),
});
export type Domain = z.infer<typeof domain>;

export const addonStatus = z.enum(['provisioning', 'running', 'error']);

/** A provisioned service of an app. The database behind it has the same id. */
export const addon = z.looseObject({
  id,
  product: z.string(),
  plan: z.string(),
  /** Major version of the product, such as `18`. */
  version: z.string(),
  status: addonStatus,
  provisionedAt: z.string().optional(),
});
export type Addon = z.infer<typeof addon>;

/** The deployed artefact. */
export const build = z.looseObject({
  id,
  /** SHA-256 of the artefact, in hexadecimal digits. */
  digest: z.string(),
  size: z.number().int(),
  createdAt: z.string(),
  /** Command of each process type, from the Procfile. */
  processTypes: z.record(z.string(), z.string()),
});
export type Build = z.infer<typeof build>;

/** Where the edge sends requests for the app. */
export const edgeMode = z.discriminatedUnion('kind', [
  z.looseObject({ kind: z.literal('serve') }),
  /** Requests wait until another mode is set, at most until `until` (ms since the epoch). */
  z.looseObject({ kind: z.literal('hold'), until: z.number() }),
  /** Requests go to another region's edge, `host:port`, which knows the app by `token`. */
  z.looseObject({ kind: z.literal('forward'), address: z.string(), token: z.string() }),
  /** No client reaches it by a host name; another edge that has its token does. */
  z.looseObject({ kind: z.literal('hidden') }),
]);
export type EdgeMode = z.infer<typeof edgeMode>;

/** What an app is built for, of those that a region has. */
export const stack = z.object({
  /** Begins with `st-`. */
  id: z.string(),
  name: z.string(),
  description: z.string(),
  createdAt: z.string(),
});

/** The stack of apps that name none: processes of the host. */
export const hostStack: z.infer<typeof stack> = {
  id: 'st-7c0f4b8e-2f0a-4a53-9a2e-5b1d3c6e9f01',
  name: 'host',
  description: 'Processes of the host, started as the Procfile says',
  createdAt: '2026-01-01T00:00:00.000Z',
};

/** What was last deployed, or tried to be. */
export const lastDeployment = z.looseObject({
  at: z.string(),
  /** Name of the user who deployed; null where nobody is known. */
  by: z.string().nullable(),
  /** The last that succeeded; null when none has. */
  successful: id.nullable(),
});

export const app = z.object({
  id,
  name: label,
  owner: userOfApp,
  collaborators: z.array(collaborator),
  settings,
  /** Id of its stack. */
  stack: z.string().default(hostStack.id),
  /** Set by an operator, such as `{ "git-repository-size": 1000000000 }`. */
  limits: z.record(z.string(), z.number()).default({}),
  flags: z.record(z.string(), z.boolean()).default({}),
  /** The owner's and, derived from the addons, theirs. */
  variables: z.array(variable),
  formation,
  domains: z.array(domain),
  addons: z.array(addon),
  build: build.nullable(),
  lastDeployment: lastDeployment.nullable().default(null),
  notifiers: z.array(notifier).default([]),
  alerts: z.array(alert).default([]),
  logDrains: z.array(logDrain).default([]),
  autoscalers: z.array(autoscaler).default([]),
  scmLink: scmLink.nullable().default(null),
  /** Whether its processes are meant to run. */
  started: z.boolean(),
  /** Whether its web processes run ahead of a switch, as long as it is not started. */
  warmed: z.boolean().default(false),
  /** The migration that froze it; every other change is then refused. */
  frozenBy: z.uuid().nullable(),
  /** The migration that created it, null when its owner did. */
  madeBy: z.uuid().nullable(),
  createdAt: z.string(),
  updatedAt: z.string(),
});
export type App = z.infer<typeof app>;

export const processState = z.enum(['starting', 'running', 'backing-off', 'stopped']);

/** How the app's processes do. */
export const appHealth = z.object({
  /**
   * `healthy`: every wanted process runs, and the web ones accept connections.
   * `unhealthy`: a process has crashed several times in a row since the app was last started.
   */
  state: z.enum(['stopped', 'starting', 'healthy', 'unhealthy']),
  processes: z.array(
    z.object({
      /** Such as `web-1`. */
      name: z.string(),
      state: processState,
      /** When it was last started; null when that is not known. */
      startedAt: z.string().nullable().default(null),
      /** Milliseconds that it last took to start; null when that is not known. */
      bootTime: z.number().nullable().default(null),
      /** Crashes since the app was last started. */
      crashes: z.number().int(),
    }),
  ),
  /** Why it is unhealthy, with its last log lines; null otherwise. */
  reason: z.string().nullable(),
});
export type AppHealth = z.infer<typeof appHealth>;

/** A part of an app's log. */
export const logLines = z.object({
  /** Oldest first, each with its time and the name of who printed it: `TIME [web-1] TEXT`. */
  lines: z.array(z.string()),
  /** Where in the log they end. Opaque; what comes later follows it. */
  end: z.string(),
});
export type LogLines = z.infer<typeof logLines>;

export const deployment = z.looseObject({
  id,
  status: z.enum(['building', 'success', 'error']),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  /** What the build printed, and why it failed. */
  output: z.string(),
  /** Whatever its user calls it. */
  gitRef: z.string().nullish(),
  /** What the one before was called. */
  previousGitRef: z.string().nullish(),
  pusher: userOfApp.nullish(),
  /** Bytes of the build; not there before it succeeded. */
  size: z.number().optional(),
  /** Id of the stack it was built for. */
  stack: z.string().optional(),
});
export type Deployment = z.infer<typeof deployment>;

/**
 * What a database runs on, as far as that decides how one can follow another. Opaque to the engine,
 * which only tells the one of the other.
 */
export const platform = z.record(z.string(), z.unknown());
export type Platform = z.infer<typeof platform>;

/** What an addon provider of this region offers. */
export const offer = z.object({
  product: z.string(),
  /** Name for people. */
  title: z.string().default(''),
  description: z.string().default(''),
  /** Major versions, newest first. */
  versions: z.array(z.string()),
  plans: z.array(z.string()),
  /** What a database of each version would run on; not there where versions do not follow each other. */
  platforms: z.record(z.string(), platform).optional(),
});
export type Offer = z.infer<typeof offer>;

/** Bytes that are free on the host of a region. */
export const room = z.object({ disk: z.number(), memory: z.number() });
export type Room = z.infer<typeof room>;

/** Where a region waits to be connected to as its databases are. */
export const probeOffer = z.object({
  /** `host:port` */
  address: z.string(),
  /** What it shows, in PEM. */
  certificate: z.string(),
});
export type ProbeOffer = z.infer<typeof probeOffer>;

/** Where another region is to be reached: `host:port` each, and an offer of its own. */
export const neighbour = z
  .object({ agent: z.string(), edge: z.string(), data: probeOffer })
  .partial();
export type Neighbour = z.infer<typeof neighbour>;

/** What was copied from another region to try how fast that goes. */
export const sample = z.object({ bytes: z.number(), milliseconds: z.number() });
export type Sample = z.infer<typeof sample>;

export const regionDescription = z.object({
  name: z.string(),
  /** `host:port` for the control plane and other regions. */
  agent: z.string(),
  /** `host:port` of the region's HTTP entry. */
  edge: z.string(),
  /** `host:port` of the region's HTTPS entry; empty where there is none. */
  edgeHttps: z.string(),
  offers: z.array(offer),
  stacks: z.array(stack).default([hostStack]),
  /** Where its connections to other regions come from: addresses, names or networks. None tell nothing. */
  origins: z.array(z.string()).default([]),
  /** Bytes of memory that the processes of the region share. */
  memory: z.number().default(0),
});
export type RegionDescription = z.infer<typeof regionDescription>;

/** Something asked of an app that may go on after the answer. */
export const operation = z.object({
  id,
  type: z.enum(['scale', 'restart']),
  status: z.enum(['running', 'done', 'error']),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  /** Why it failed; null otherwise. */
  error: z.string().nullable(),
});
export type Operation = z.infer<typeof operation>;

/** How a database moves. */
export const move = z.discriminatedUnion('kind', [
  /** It is copied and followed while the app is up. */
  z.object({ kind: z.literal('live') }),
  /**
   * It cannot be followed: what can be is copied while the app is up, and the `rest`, in bytes, as
   * much as it is now, while the app is stopped.
   */
  z.object({ kind: z.literal('offline'), rest: z.number() }),
]);

/** A database as the engine sees it, whatever the product. */
export const inspection = z.object({
  product: z.string(),
  version: z.string(),
  /** Bytes on disk. */
  size: z.number(),
  /** `empty`: made to follow, and not following yet. */
  role: z.enum(['empty', 'primary', 'follower']),
  fenced: z.boolean(),
  platform: platform.optional(),
  /** An agent of an earlier version has nothing that cannot be followed. */
  move: move.default({ kind: 'live' }),
  /** What forbids a move, each with what to do about it. */
  obstacles: z.array(z.string()),
  /** Settings of the server that do not let it be followed, each with what to do about it. */
  unsuitable: z.array(z.string()).default([]),
  /** What the owner should know about the move. */
  remarks: z.array(z.string()),
});
export type Inspection = z.infer<typeof inspection>;

/** An opaque point in a database's history. Only the database that gave it and its followers can compare it. */
export const position = z.string();
export type Position = z.infer<typeof position>;

/** Something in a database that is compared by itself, such as a table. Primary and follower call it by the same id. */
export const part = z.object({
  /** Opaque. Parts are compared in the order of their ids. */
  id: z.string(),
  /** Name for people. */
  name: z.string(),
  /** On disk, about. */
  bytes: z.number(),
  /** Of so many rows or fewer, a look takes as long: it goes through all of the part. One, if not given. */
  least: z.number().int().min(1).optional(),
});
export type Part = z.infer<typeof part>;

/** What of a database can be compared with a follower of it. */
export const contents = z.object({
  parts: z.array(part),
  /** What is not compared, and why, for people. */
  leftOut: z.array(z.string()),
});
export type Contents = z.infer<typeof contents>;

/** Where in a part something lies, in the order of its keys. Opaque, but readable: people are told of it. */
export const bound = z.string();
export type Bound = z.infer<typeof bound>;

/** A range of keys of a part: all after `after`, up to and with `to`; null for no such end. */
export const keyRange = z.object({ after: bound.nullable(), to: bound.nullable() });
export type KeyRange = z.infer<typeof keyRange>;

/** What to look at: a range, or only the first `most` rows of it. */
export const look = keyRange.extend({ most: z.number().int().min(1).nullable() });
export type Look = z.infer<typeof look>;

/** What a range of a part comes to. Of the same rows, a primary and its follower make the same digest. */
export const seenRange = z.object({
  /** The end of the range that was looked at. */
  to: bound.nullable(),
  rows: z.number(),
  /** Of these rows, about. */
  bytes: z.number(),
  digest: z.string(),
});
export type SeenRange = z.infer<typeof seenRange>;

/** What was seen, look by look. */
export const seen = z.object({
  ranges: z.array(seenRange),
  /** Whoever has come to this position has all that was seen. */
  position,
});
export type Seen = z.infer<typeof seen>;

/** Address and credential for one follower. Opaque to the engine, and secret: never stored or logged by it. */
export const endpoint = z.record(z.string(), z.unknown());

/** How far a follower is. */
export const following = z.object({
  /** `waiting`: has what can be copied while the app is up, and gets the rest once its primary is fenced. */
  stage: z.enum(['idle', 'copying', 'catching-up', 'streaming', 'waiting', 'failed']),
  /** Bytes copied so far, and to copy. */
  copied: z.number(),
  total: z.number(),
  /** Bytes of history still to replay, or of the rest still to be copied; null while unknown. */
  lag: z.number().nullable(),
  /** Why it failed; null otherwise. */
  reason: z.string().nullable(),
});
export type Following = z.infer<typeof following>;

/** What the clients of an app were answered in one second, as an edge saw it. */
export const trafficSecond = z.object({
  /** When it began, in milliseconds since the epoch. */
  at: z.number().int(),
  /** Requests that were answered. */
  requests: z.number().int(),
  /** Those of them that were answered with 5xx, or whose answer broke off. */
  failed: z.number().int(),
  /** Milliseconds from when a request came until its answer began. */
  median: z.number(),
  longest: z.number(),
});
export type TrafficSecond = z.infer<typeof trafficSecond>;

/**
 * What the edge did for an app since the last hold began. Times in milliseconds. An agent of an
 * earlier version does not tell all of it.
 */
export const holdReport = z.object({
  mode: edgeMode.options[0].shape.kind
    .or(edgeMode.options[1].shape.kind)
    .or(edgeMode.options[2].shape.kind)
    .or(edgeMode.options[3].shape.kind),
  /** Requests that are held now. */
  holding: z.number().int(),
  /** Requests that were held. */
  held: z.number().int(),
  longestWait: z.number(),
  /** Of those that were held, by nearest rank; 0 when none was. */
  waits: z.object({ p50: z.number(), p99: z.number() }).default({ p50: 0, p99: 0 }),
  /** Held requests that were given up (503) because the hold had ended without a decision. */
  expired: z.number().int(),
  /** Requests that found no room to wait (503). */
  refused: z.number().int().default(0),
  /** Long-lived connections (WebSockets, streams of events) that were ended for the hold. */
  closed: z.number().int().default(0),
  /**
   * How long it took until the app had answered what it had been passed before; null when it had
   * not within its time, or there was no hold.
   */
  drained: z.number().nullable().default(null),
  /** The last two minutes, oldest first, without the seconds in which nobody was answered. */
  traffic: z.array(trafficSecond).default([]),
});
export type HoldReport = z.infer<typeof holdReport>;
