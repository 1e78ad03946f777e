/** What a region hosts: apps, their addons and the databases behind them, as region and engine speak of it. */
import { z } from 'zod';

/** Id of an app, addon (and the database behind it), build or deployment: 24 hexadecimal digits. */
export const id = z.string().regex(/^[0-9a-f]{24}$/, 'must be 24 hexadecimal digits');

/** Name of an app: a label of a host name. */
export const appName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,46}[a-z0-9]$/,
    'must be 2 to 48 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen',
  );

export const variableName = z
  .string()
  .regex(
    /^[A-Za-z_][A-Za-z0-9_]{0,254}$/,
    'must be letters, digits and underscores, not starting with a digit',
  );

/** What a process can be given as the value of a variable. */
export const variableValue = z
  .string()
  .max(32_768, 'must have at most 32768 characters')
  .refine((value) => !value.includes('\0'), 'must not have a NUL character');

export const user = z.object({ id: z.string(), username: z.string(), email: z.string() });
export type User = z.infer<typeof user>;

export const collaborator = user.extend({ status: z.enum(['pending', 'accepted']) });

/** How the edge treats the app's requests. */
export const settings = z.object({
  forceHttps: z.boolean(),
  stickySession: z.boolean(),
  routerLogs: z.boolean(),
});

/** A variable; `from` names the addon that provides it, null for the owner's own. */
export const variable = z.object({ name: variableName, value: z.string(), from: id.nullable() });
export type Variable = z.infer<typeof variable>;

/** One process type of the formation and how many of it are wanted. */
export const formationEntry = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,39}$/),
  amount: z.number().int().min(0).max(20),
});
export type FormationEntry = z.infer<typeof formationEntry>;

export const domain = z.object({ id, name: z.string(), canonical: z.boolean() });

export const addonStatus = z.enum(['provisioning', 'running', 'error']);

/** A provisioned service of an app. The database behind it has the same id. */
export const addon = z.object({
  id,
  product: z.string(),
  plan: z.string(),
  /** Major version of the product, such as `18`. */
  version: z.string(),
  status: addonStatus,
});
export type Addon = z.infer<typeof addon>;

/** The deployed artefact. */
export const build = z.object({
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
  z.object({ kind: z.literal('serve') }),
  /** Requests wait until another mode is set, at most until `until` (ms since the epoch). */
  z.object({ kind: z.literal('hold'), until: z.number() }),
  /** Requests go to another region's edge, `host:port`, which knows the app by `token`. */
  z.object({ kind: z.literal('forward'), address: z.string(), token: z.string() }),
]);
export type EdgeMode = z.infer<typeof edgeMode>;

export const app = z.object({
  id,
  name: appName,
  owner: user,
  collaborators: z.array(collaborator),
  settings,
  /** The owner's and, derived from the addons, theirs. */
  variables: z.array(variable),
  formation: z.array(formationEntry),
  domains: z.array(domain),
  addons: z.array(addon),
  build: build.nullable(),
  /** Whether its processes are meant to run. */
  started: z.boolean(),
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
      /** Crashes since the app was last started. */
      crashes: z.number().int(),
    }),
  ),
  /** Why it is unhealthy, with its last log lines; null otherwise. */
  reason: z.string().nullable(),
});
export type AppHealth = z.infer<typeof appHealth>;

export const deployment = z.object({
  id,
  status: z.enum(['building', 'success', 'error']),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  /** What the build printed, and why it failed. */
  output: z.string(),
});
export type Deployment = z.infer<typeof deployment>;

/** What an addon provider of this region offers. */
export const offer = z.object({
  product: z.string(),
  /** Major versions, newest first. */
  versions: z.array(z.string()),
  plans: z.array(z.string()),
});
export type Offer = z.infer<typeof offer>;

export const regionDescription = z.object({
  name: z.string(),
  /** `host:port` of the region's HTTP entry. */
  edge: z.string(),
  offers: z.array(offer),
});

/** A database as the engine sees it, whatever the product. */
export const inspection = z.object({
  product: z.string(),
  version: z.string(),
  /** Bytes on disk. */
  size: z.number(),
  /** `empty`: made to follow, and not following yet. */
  role: z.enum(['empty', 'primary', 'follower']),
  fenced: z.boolean(),
  /** What forbids a live move, each with what to do about it. */
  obstacles: z.array(z.string()),
  /** What the owner should know about a live move. */
  remarks: z.array(z.string()),
});
export type Inspection = z.infer<typeof inspection>;

/** An opaque point in a database's history. Only the database that gave it and its followers can compare it. */
export const position = z.string();
export type Position = z.infer<typeof position>;

/** Address and credential for one follower. Opaque to the engine, and secret: never stored or logged by it. */
export const endpoint = z.record(z.string(), z.unknown());

/** How far a follower is. */
export const following = z.object({
  stage: z.enum(['idle', 'copying', 'catching-up', 'streaming', 'failed']),
  /** Bytes copied so far, and to copy. */
  copied: z.number(),
  total: z.number(),
  /** Bytes of history still to replay; null while unknown. */
  lag: z.number().nullable(),
  /** Why it failed; null otherwise. */
  reason: z.string().nullable(),
});
export type Following = z.infer<typeof following>;

/** What the edge did for an app since the last hold began. Times in milliseconds. */
export const holdReport = z.object({
  mode: edgeMode.options[0].shape.kind
    .or(edgeMode.options[1].shape.kind)
    .or(edgeMode.options[2].shape.kind),
  /** Requests that are held now. */
  holding: z.number().int(),
  /** Requests that were held. */
  held: z.number().int(),
  longestWait: z.number(),
  /** Held requests that were given up (503) because the hold had ended without a decision. */
  expired: z.number().int(),
});
export type HoldReport = z.infer<typeof holdReport>;
