import type { Failure } from '../../src/dev/verify/memory.js';
import type { Harm } from './world.js';

/** How long clients may take to notice what happened, or that it is over; in milliseconds. */
const slack = 1_500;

/**
 * The harm that a failure is the inevitable end of; null when there was none. Connections that a killed agent's edge
 * held break, and nobody can connect before it is back; what it was forwarding for another edge, that one answers with 502.
 * Statements that a killed database was executing fail, and the app says so with 500. What was under
 * way between two edges breaks with the line between them, as do WebSockets. The death of a server, or anything that is only slow
 * or silent, excuses nothing.
 */
export function excuseFor({ at, how, what }: Failure, harms: readonly Harm[]): Harm | null {
  const excused = harms.find(({ kind, victim, from, to }) => {
    if (at < from || at > to + slack) return false;
    if (kind === 'cut' && (victim === 'home-edge' || victim === 'away-edge')) {
      const isOpenSocket = how === 'away' && /^WebSocket: closed/.test(what);
      return how === 'broken' || isOpenSocket || (how === 'status' && / 502 /.test(what));
    }
    if (kind !== 'kill') return false;
    if (victim === 'home' || victim === 'away') {
      return how === 'broken' || how === 'away' || (how === 'status' && / 502 /.test(what));
    }
    return victim !== 'server' && how === 'status' && /( 500 |It failed)/.test(what);
  });
  return excused ?? null;
}
