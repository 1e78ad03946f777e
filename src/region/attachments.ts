/**
 * What an owner attaches to an app and a region keeps for it, whether or not it acts on it. Fields
 * that this version does not know are kept too, so that they survive a migration.
 */
import { z } from 'zod';
import { derivedId } from '../shared/ids.js';

const times = { createdAt: z.string(), updatedAt: z.string() };

/** Whom to tell of events. `typeData` may hold secrets, such as the address of a webhook. */
export const notifier = z.looseObject({
  id: z.string(),
  ...times,
  name: z.string(),
  active: z.boolean(),
  /** Id of the notification platform. */
  platform: z.string(),
  /** Name of the notification platform, such as `webhook`. */
  type: z.string(),
  sendAllEvents: z.boolean(),
  sendAllAlerts: z.boolean(),
  /** Ids of event types, in the owner's order. */
  selectedEvents: z.array(z.string()),
  typeData: z.record(z.string(), z.unknown()),
});
export type Notifier = z.infer<typeof notifier>;

/** When to warn of a metric. */
export const alert = z.looseObject({
  id: z.string(),
  ...times,
  containerType: z.string(),
  metric: z.string(),
  limit: z.number(),
  disabled: z.boolean(),
  sendWhenBelow: z.boolean(),
  /** For how long the limit is passed before anybody is told, in nanoseconds. */
  durationBeforeTrigger: z.number(),
  /** A duration such as `5m0s`; null for never. */
  remindEvery: z.string().nullable(),
  /** Ids of notifiers of the app. */
  notifiers: z.array(z.string()),
});
export type Alert = z.infer<typeof alert>;

/** How many processes of a type there should be for a metric to stay at its target. */
export const autoscaler = z.looseObject({
  id: z.string(),
  ...times,
  containerType: z.string(),
  minContainers: z.number(),
  maxContainers: z.number(),
  metric: z.string(),
  target: z.number(),
  disabled: z.boolean(),
});
export type Autoscaler = z.infer<typeof autoscaler>;

/** Where logs should go. The URL may hold a token: secret. */
export const logDrain = z.looseObject({
  id: z.string(),
  url: z.string(),
  /** The addon whose logs they are; null for the app's own. */
  addon: z.string().nullable(),
  createdAt: z.string(),
});
export type LogDrain = z.infer<typeof logDrain>;

/** A drain is known by whose logs it takes and by its URL; its id is made of them. */
export function logDrainId({ addon, url }: Pick<LogDrain, 'addon' | 'url'>): string {
  return derivedId('log drain', addon ?? '', url);
}

/** The repository that an app comes from. */
export const scmLink = z.looseObject({
  id: z.string(),
  ...times,
  /** Id of the owner's access to the repository; null for none. */
  integration: z.string().nullable(),
  linker: z.looseObject({ id: z.string(), username: z.string(), email: z.string() }),
  /** Such as `github`. */
  type: z.string(),
  /** Address of the host that has the repository. */
  url: z.string(),
  owner: z.string(),
  repo: z.string(),
  branch: z.string().nullable(),
  autoDeploy: z.boolean(),
  deployReviewApps: z.boolean(),
  deleteOnClose: z.boolean(),
  hoursBeforeDeleteOnClose: z.number(),
  deleteStale: z.boolean(),
  hoursBeforeDeleteStale: z.number(),
  reviewAppsFromForks: z.boolean(),
});
export type ScmLink = z.infer<typeof scmLink>;
