import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { Call, Inbound } from './inbound.js';

/** Who takes what comes in through the region's doors. */
export interface Reception {
  call(call: Call): void;
  /** @param head what the client sent beyond the request */
  change(request: Inbound, client: Duplex, head: Buffer): void;
  /** The certificate of a host name; undefined for the region's own. */
  contextFor(hostname: string): SecureContext | undefined;
}
