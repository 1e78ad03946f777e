import { Agent, buildConnector, type Dispatcher } from 'undici';

/** How long an answer may take to begin, in milliseconds: longer than any hold. */
const patience = 120_000;

/** Where an application is reached: at an edge, by a host name. */
export interface Door {
  /** Such as `http://ledger.osc-fr1.localhost:8080`. */
  readonly url: string;
  /** Address of the edge, such as `http://127.0.0.1:8080`, where the name does not lead there. */
  readonly edge: string | null;
}

/**
 * A way to a door of a client's own: one connection, kept for as long as the other side keeps it.
 * Host names of regions that are reached on this machine need not be known to it.
 */
export function wayTo({ url, edge }: Door): { readonly origin: string; readonly way: Dispatcher } {
  const { hostname, origin } = new URL(url);
  const connector = buildConnector({ timeout: 10_000 });
  const { hostname: host, port } = new URL(edge ?? url);
  const address = edge === null && hostname.endsWith('.localhost') ? '127.0.0.1' : host;
  const way = new Agent({
    connections: 1,
    pipelining: 1,
    headersTimeout: patience,
    bodyTimeout: patience,
    connect: (options, callback) =>
      connector({ ...options, hostname: address, port: port || options.port }, callback),
  });
  return { origin, way };
}
