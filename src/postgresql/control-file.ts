import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What `global/pg_control` tells of a cluster that does not run. */
export interface ControlFile {
  /** Whether it was shut down in order, as a primary. */
  readonly shutDown: boolean;
  /** Where its last checkpoint record begins; after a shutdown in order, that is its last record. */
  readonly checkpoint: bigint;
}

/** `DB_SHUTDOWNED` of the enum `DBState` in PostgreSQL's `catalog/pg_control.h`. */
const shutDownState = 1;

/**
 * Reads the first fields of the struct `ControlFileData` (PostgreSQL's `catalog/pg_control.h`),
 * which have had the same layout since version 11: system identifier (8 bytes), two version
 * numbers (4 each), state (4, padded to 8), time (8), checkpoint (8).
 */
export async function readControlFile(data: string): Promise<ControlFile> {
  const bytes = await readFile(join(data, 'global', 'pg_control'));
  return {
    shutDown: bytes.readInt32LE(16) === shutDownState,
    checkpoint: bytes.readBigUInt64LE(32),
  };
}
