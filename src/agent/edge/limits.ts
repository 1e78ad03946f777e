import type { EntranceLimits } from './entrance.js';

/** What clients may take. Times in milliseconds. */
export interface EdgeLimits extends EntranceLimits {
  /** For the handshake of TLS. */
  readonly handshake: number;
  /** For the head of a request. */
  readonly head: number;
  /** How long nothing may come of a body that is owed. */
  readonly body: number;
  /** How long a connection is kept that has no request. */
  readonly idle: number;
  /** Requests that one connection of HTTP/2 may have at once. */
  readonly streams: number;
  /** How long the connection to a target may take to be there. */
  readonly connect: number;
  /** How long a request waits for another region's edge that cannot be reached. */
  readonly forward: number;
}

export const usualLimits: EdgeLimits = {
  waiting: 10_000,
  waitingBytes: 64 * 1_024 * 1_024,
  patience: 10_000,
  stranded: 600_000,
  handshake: 10_000,
  head: 60_000,
  body: 60_000,
  idle: 75_000,
  streams: 128,
  connect: 2_000,
  // A line that is cut for a minute is a delay, and no error.
  forward: 90_000,
};
