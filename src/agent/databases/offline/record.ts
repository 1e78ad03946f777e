import { z } from 'zod';
import { id } from '../../../region/model.js';

/** How the app logs in. A follower has the login of its primary. */
const login = z.object({ user: z.string(), password: z.string(), database: z.string() });
export type Login = z.infer<typeof login>;

/** Opaque to the engine: all that a follower needs. Secret. */
export const endpoint = z.object({
  product: z.string(),
  version: z.string(),
  host: z.string(),
  port: z.number().int(),
  /** What the follower shows to be let in. */
  password: z.string(),
  /** The primary's certificate, in PEM: no other is accepted. */
  certificate: z.string(),
  login,
});
export type Endpoint = z.infer<typeof endpoint>;

/** Permission for one follower. */
const grant = z.object({
  follower: z.uuid(),
  password: z.string(),
  /** The networks that it may come from; any, if there are none. */
  from: z.array(z.string()).readonly().default([]),
});
export type Grant = z.infer<typeof grant>;

const following = z.object({
  endpoint,
  /**
   * Bytes that were left to be copied once the primary is fenced, after what could be copied
   * before that; null when that is to be copied, for the first time or again.
   */
  rest: z.number().nullable(),
  /** The position of which the data is a whole copy; null when there is none. */
  copied: z.string().nullable(),
});

/** What is remembered of a database, written before anything is done about it. */
export const record = z.object({
  id,
  version: z.string(),
  plan: z.string(),
  /** Where the app reaches it. */
  port: z.number().int(),
  /** Where followers fetch from. */
  doorPort: z.number().int(),
  role: z.enum(['empty', 'primary', 'follower']),
  /** The position at which it was fenced; null while it is not. */
  fence: z.string().nullable(),
  login,
  /** Whether the login was made: from then on it is the owner's. */
  welcomed: z.boolean(),
  certificate: z.string(),
  privateKey: z.string(),
  grants: z.array(grant),
  following: following.nullable(),
  removing: z.boolean(),
});
export type OfflineRecord = z.infer<typeof record>;
