import type { Tampering } from '../api/tampering.js';
import { createDatabase } from '../database.js';
import { runPieces } from './run-pieces.js';

export type { Piece } from './run-pieces.js';

/**
 * A server and two regions, each a process of its own, so that any of them can be killed exactly
 * when something is asked of a region.
 */
export async function startPieces(tampering: Tampering, { server = [] as string[] } = {}) {
  return runPieces(tampering, await createDatabase(), { server });
}
