import { join } from 'node:path';
import { z } from 'zod';
import { id } from '../../../region/model.js';

/** How the app logs in. A follower has the login of its primary. */
const login = z.object({ password: z.string() });

/** Opaque to the engine: all that a follower needs. Secret. */
export const endpoint = z.object({
  version: z.string(),
  host: z.string(),
  port: z.number().int(),
  /** The primary's certificate, in PEM: no other is accepted. */
  primaryCertificate: z.string(),
  /** What the follower shows, in PEM: its primary lets no other in. */
  certificate: z.string(),
  privateKey: z.string(),
  user: z.string(),
  password: z.string(),
  /** Bytes that there were to copy when it was granted. */
  size: z.number(),
  login,
});
export type Endpoint = z.infer<typeof endpoint>;

/** Permission for one follower. */
const grant = endpoint
  .pick({ certificate: true, privateKey: true, user: true, password: true, size: true })
  .extend({
    follower: z.uuid(),
    /** The networks that it may come from; any, if there are none. */
    from: z.array(z.string()).readonly().default([]),
  });
export type Grant = z.infer<typeof grant>;

const primary = z.object({
  role: z.literal('primary'),
  /** Whether it has data, be they empty: it is not to start without them. */
  begun: z.boolean(),
  fenced: z.boolean(),
  grants: z.array(grant),
});
export type Primary = z.infer<typeof primary>;

const follower = z.object({
  role: z.literal('follower'),
  endpoint,
  /** Whether it has had all that its primary had. */
  copied: z.boolean(),
});
export type Follower = z.infer<typeof follower>;

/** What is remembered of a database, written before anything is done about it. */
export const record = z.object({
  id,
  version: z.string(),
  plan: z.string(),
  port: z.number().int(),
  /** Where followers are let in, on the address of the host. */
  doorPort: z.number().int(),
  state: z.discriminatedUnion('role', [z.object({ role: z.literal('empty') }), primary, follower]),
  login,
  /** The agent's own. */
  adminPassword: z.string(),
  certificate: z.string(),
  privateKey: z.string(),
  removing: z.boolean(),
});
export type DatabaseRecord = z.infer<typeof record>;

/** The file of a database's folder that holds its record. */
export const recordFile = (folder: string) => join(folder, 'redis.json');
