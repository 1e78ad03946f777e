import { join } from 'node:path';
import { z } from 'zod';
import { id } from '../../../region/model.js';

/** How the app logs in. A follower has the login of its primary. */
const login = z.object({ user: z.string(), password: z.string(), database: z.string() });

/** Opaque to the engine: all that a follower needs. Secret. */
export const endpoint = z.object({
  series: z.string(),
  host: z.string(),
  port: z.number().int(),
  /** Where the copy is to be fetched. */
  copyPort: z.number().int(),
  user: z.string(),
  password: z.string(),
  /** The primary's certificate, in PEM: no other is accepted, at either port. */
  certificate: z.string(),
  login,
});
export type Endpoint = z.infer<typeof endpoint>;

/** Permission for one follower. */
const grant = z.object({
  follower: z.uuid(),
  name: z.string(),
  password: z.string(),
  /** The networks that it may come from; any, if there are none. */
  from: z.array(z.string()).readonly().default([]),
});
export type Grant = z.infer<typeof grant>;

/**
 * What is remembered of a database, written before anything is done about it: a server that is
 * something else is made to be what is written here.
 */
export const record = z.object({
  id,
  series: z.string(),
  plan: z.string(),
  port: z.number().int(),
  copyPort: z.number().int(),
  /** What tells its server from others in the history (`server_id`). */
  server: z.number().int(),
  role: z.enum(['empty', 'primary', 'follower']),
  fenced: z.boolean(),
  login,
  /** Of the superuser. */
  password: z.string(),
  certificate: z.string(),
  privateKey: z.string(),
  grants: z.array(grant),
  /** Whom it follows, and whether the copy is whole. */
  following: z.object({ endpoint, copied: z.boolean() }).nullable(),
  removing: z.boolean(),
});
export type DatabaseRecord = z.infer<typeof record>;

/** The file of a database's folder that holds its record. */
export const recordFile = (folder: string) => join(folder, 'mariadb.json');
