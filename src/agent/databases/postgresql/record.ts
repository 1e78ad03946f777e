import { join } from 'node:path';
import { z } from 'zod';
import { id } from '../../../region/model.js';

/** How the app logs in. A follower has the login of its primary. */
const login = z.object({ user: z.string(), password: z.string(), database: z.string() });

/** How a follower is kept like its primary: by the write-ahead log as it is, or by rows. */
export const linkKind = z.enum(['physical', 'logical']);
export type LinkKind = z.infer<typeof linkKind>;

const address = z.object({
  major: z.string(),
  host: z.string(),
  port: z.number().int(),
  user: z.string(),
  password: z.string(),
  slot: z.string(),
  /** The primary's certificate, in PEM: no other is accepted. */
  certificate: z.string(),
  login,
});
const physicalEndpoint = address.extend({ link: z.literal('physical').default('physical') });
const logicalEndpoint = address.extend({
  link: z.literal('logical'),
  /** Whom it was given to, who will be followed in turn once promoted. */
  follower: z.uuid(),
});
export type PhysicalEndpoint = z.infer<typeof physicalEndpoint>;
export type LogicalEndpoint = z.infer<typeof logicalEndpoint>;

/** Opaque to the engine: all that a follower needs. Secret. */
export const endpoint = z.union([logicalEndpoint, physicalEndpoint]);
export type Endpoint = z.infer<typeof endpoint>;

/** Permission for one follower. */
const grant = z.object({
  follower: z.uuid(),
  name: z.string(),
  password: z.string(),
  link: linkKind.default('physical'),
  /** The networks that it may come from; any, if there are none. */
  from: z.array(z.string()).readonly().default([]),
});
export type Grant = z.infer<typeof grant>;

/**
 * What is remembered of a database, written before anything is done about it. The one exception
 * is a promotion: the cluster itself knows best whether it has happened.
 */
export const record = z.object({
  id,
  major: z.string(),
  plan: z.string(),
  port: z.number().int(),
  role: z.enum(['empty', 'primary', 'follower']),
  fenced: z.boolean(),
  login,
  certificate: z.string(),
  privateKey: z.string(),
  grants: z.array(grant),
  /** Whom it follows, and whether the copy is whole. */
  following: z
    .object({
      endpoint,
      copied: z.boolean(),
      /** Whether what streams do not carry was brought along last by {@link Database.waitFor}. */
      carried: z.boolean().default(false),
    })
    .nullable(),
  removing: z.boolean(),
});
export type DatabaseRecord = z.infer<typeof record>;

/** The file of a database's folder that holds its record. */
export const recordFile = (folder: string) => join(folder, 'database.json');

/**
 * How a primary is closed to all but its followers. One that is followed physically is `down`: a
 * shutdown in order is what ends its history. One that is followed by rows stays up, `read-only`:
 * what does not stream is read from it when nothing changes any more.
 */
export function fenceOf({ role, fenced, grants }: DatabaseRecord): 'none' | 'down' | 'read-only' {
  if (role !== 'primary' || !fenced) return 'none';
  const isFollowedByRows = grants.length > 0 && grants.every(({ link }) => link === 'logical');
  return isFollowedByRows ? 'read-only' : 'down';
}
