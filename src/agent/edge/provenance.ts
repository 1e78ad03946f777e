import { randomUUID } from 'node:crypto';
import type { Inbound } from './inbound.js';

/**
 * Where a request comes from, and what its client reached. It goes along with the request from
 * edge to edge: what counts is the one that the client reached.
 */
export interface Provenance {
  /** Of the client. */
  readonly address: string;
  readonly scheme: 'http' | 'https';
  /** Of HTTP, such as `2.0`. */
  readonly version: string;
  /** As the client named it, maybe with a port. */
  readonly host: string;
  readonly port: string;
  /** Where the same edge can be reached by TLS; null when that is not known. */
  readonly httpsPort: number | null;
  readonly requestId: string;
  /** How long other edges have held the request, in milliseconds. */
  readonly held: number;
}

/** With this header one edge tells another what no `X-Forwarded` header does. */
export const toldHeader = 'godwit-provenance';

/** Where a request comes from that reached this edge. */
export function seen(request: Inbound, httpsPort: number | null): Provenance {
  const { isSecure, address, port } = request.connection;
  return {
    address,
    scheme: isSecure ? 'https' : 'http',
    version: request.version,
    host: request.host ?? '',
    port: String(port ?? ''),
    httpsPort,
    requestId: randomUUID(),
    held: 0,
  };
}

/** Where a request comes from that another edge forwards, as that one says. */
export function told(request: Inbound): Provenance {
  const here = seen(request, null);
  const said = (name: string) => request.headers[name]?.join(', ');
  const more = new URLSearchParams(said(toldHeader));
  return {
    address: said('x-forwarded-for') ?? here.address,
    scheme: said('x-forwarded-proto') === 'https' ? 'https' : 'http',
    version: more.get('version') ?? here.version,
    host: said('x-forwarded-host') ?? here.host,
    port: said('x-forwarded-port') ?? here.port,
    httpsPort: Number(more.get('https-port')) || null,
    requestId: said('x-request-id') ?? here.requestId,
    held: Number(more.get('held')) || 0,
  };
}

/** What {@link told} reads, beside the `X-Forwarded` headers. */
export function tell({ version, httpsPort, held }: Provenance): string {
  const more = new URLSearchParams({ version, held: String(Math.round(held)) });
  if (httpsPort !== null) more.set('https-port', String(httpsPort));
  return more.toString();
}

/** A host name as it is compared: in lower case, without port and final dot. */
export function hostname(host: string): string {
  return host.toLowerCase().replace(/:\d*$/, '').replace(/\.$/, '');
}
