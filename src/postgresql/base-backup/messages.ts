import type { Account } from '../../shared/account.js';
import type { Remote } from '../remote.js';
import type { WrittenFile } from './manifest.js';

/**
 * What the process that receives a copy is given, as JSON, on its standard input. Afterwards it is told again and again
 * how fast, as a number.
 */
export interface Order {
  /** Path or name of libpq. */
  readonly library: string;
  readonly source: Remote;
  readonly owner: Account | null;
  /** Bytes a second; 0 for as fast as can be. */
  readonly rate: number;
}

/** What it tells: how far it is, in bytes, and in the end what it came to. */
export type Report =
  | { readonly kind: 'progress'; readonly copied: number; readonly total: number }
  | {
      readonly kind: 'whole';
      readonly manifest: string;
      /** By their paths. */
      readonly files: readonly (readonly [string, WrittenFile])[];
    }
  /** @property code such as `ENOSPC` */
  | { readonly kind: 'failed'; readonly message: string; readonly code: string | null };
