import { z } from 'zod';
import { remote } from '../remote.js';

/** In bytes a second; null for as fast as can be. */
const rate = z.number().nullable();

/** What the process that receives a copy is told: once what to do, and again and again how fast. */
export const instruction = z.union([
  z.object({
    /** Path or name of libpq. */
    library: z.string(),
    source: remote,
    owner: z.object({ uid: z.number(), gid: z.number() }).nullable(),
    rate,
  }),
  z.object({ rate }),
]);
export type Instruction = z.infer<typeof instruction>;

/** What it tells: how far it is, in bytes, and in the end what it came to. */
export const report = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('progress'), copied: z.number(), total: z.number() }),
  z.object({ kind: z.literal('whole') }),
  z.object({
    kind: z.literal('failed'),
    message: z.string(),
    /** Such as `ENOSPC`. */
    code: z.string().nullable(),
  }),
]);
export type Report = z.infer<typeof report>;
