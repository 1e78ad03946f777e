import type { Inbound } from './inbound.js';
import { hostname, type Provenance } from './provenance.js';
import type { Route } from './route.js';

/** An answer that sends the client elsewhere. */
export interface Redirect {
  readonly status: 301 | 308;
  readonly location: string;
}

/**
 * Where the settings of an app send a client, if elsewhere: to HTTPS, to the canonical domain, or
 * to both at once, always on the edge that the client reached. From there, no further.
 * @param change whether the client wants another protocol; a WebSocket may use any of the domains
 */
export function redirection(
  { settings, canonical }: Pick<Route, 'settings' | 'canonical'>,
  { method, url }: Pick<Inbound, 'method' | 'url'>,
  { scheme, host, httpsPort }: Provenance,
  { change }: { change: boolean },
): Redirect | null {
  const reached = hostname(host);
  const wanted = change ? reached : (canonical ?? reached);
  const secures = scheme === 'http' && settings?.forceHttps === true;
  if (!secures && wanted === reached) return null;
  const port = secures ? portOf(httpsPort, 443) : (/:\d+$/.exec(host)?.[0] ?? '');
  const path = url.startsWith('/') ? url : '/'; // not to `*`, which is no address
  return {
    status: method === 'GET' || method === 'HEAD' ? 301 : 308,
    location: `${secures ? 'https' : scheme}://${wanted}${port}${path}`,
  };
}

function portOf(port: number | null, usual: number): string {
  return port === null || port === usual ? '' : `:${port}`;
}
