import { z } from 'zod';
import * as model from '../../region/model.js';

/** Lets another region fetch a build once. The token itself is not kept. */
const buildGrant = z.looseObject({ digest: z.string(), build: model.id, until: z.number() });

/**
 * `app.json`: all that the region keeps of an app; what can be derived is not in it. Fields that
 * this version does not know stay in it.
 */
export const appRecord = model.app
  .omit({ variables: true })
  .extend({
    /** The owner's own; those of addons are derived. */
    variables: z.record(model.variableName, z.string()),
    edge: model.edgeMode,
    forwardToken: z.string().nullable(),
    buildGrants: z.array(buildGrant),
    /** Its removal has begun, and goes on after a crash. */
    deleting: z.boolean(),
  })
  .loose();
export type AppRecord = z.infer<typeof appRecord>;

/** A new app, with nothing in it. */
export function newAppRecord(
  given: Pick<AppRecord, 'id' | 'name' | 'owner' | 'madeBy'>,
): AppRecord {
  const now = new Date().toISOString();
  return {
    ...given,
    collaborators: [],
    settings: { forceHttps: false, stickySession: false, routerLogs: false, prewarm: false },
    stack: model.hostStack.id,
    limits: {},
    flags: {},
    variables: {},
    formation: [],
    domains: [],
    addons: [],
    build: null,
    lastDeployment: null,
    notifiers: [],
    alerts: [],
    logDrains: [],
    autoscalers: [],
    scmLink: null,
    started: false,
    warmed: false,
    // What a migration makes is its own until it hands it over.
    frozenBy: given.madeBy,
    createdAt: now,
    updatedAt: now,
    edge: { kind: given.madeBy === null ? 'serve' : 'hidden' },
    forwardToken: null,
    buildGrants: [],
    deleting: false,
  };
}
