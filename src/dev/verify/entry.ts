import { z } from 'zod';

/** An entry as another database of the application under check has it. */
export const copiedShape = z.object({
  /** Counts up with each entry, whoever writes it. */
  received: z.number(),
  client: z.string(),
  number: z.number(),
});
export type Copied = z.infer<typeof copiedShape>;

/** An entry as the application under check has it; see `examples/ledger`. */
export const entryShape = copiedShape.extend({
  via: z.string(),
  digest: z.string().nullable(),
  /** The one before it that its writer knew to be safe. */
  after: z.number().nullable(),
  /** The history of the database in which it was written: each promotion begins another. */
  timeline: z.number(),
  /** Where in the database's log. */
  position: z.string(),
});
export type Entry = z.infer<typeof entryShape>;

/** What a client did to have one entry written. */
export interface Attempted {
  readonly client: string;
  readonly number: number;
  readonly digest: string | null;
  readonly acknowledged: boolean;
  /** How often nobody said what became of it: each time it may have been written. */
  readonly unanswered: number;
}

/** An entry that the application said was safe; by a writer of which nothing else is known. */
export type Witnessed = Pick<Attempted, 'client' | 'number'>;
