import pg from 'pg';

/** A server in another region, and the credential for it. */
export interface Remote {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The certificate that the server must show, in PEM. */
  readonly certificate: string;
}

/** In words of PostgreSQL: `true`, or `database` beside SQL. */
export type Replication = 'true' | 'database';

/** How a session at another server is lent. */
export interface RemoteSession {
  readonly database?: string;
  /** Speaks the streaming replication protocol, alone or beside SQL. */
  readonly replication?: Replication;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What `pg` needs to connect over TLS. The certificate itself is pinned, so the name in it says nothing more.
 * @param more such as the database
 */
export function remoteOptions(
  { host, port, user, password, certificate }: Remote,
  more: { readonly database?: string; readonly replication?: Replication },
) {
  return {
    ...more,
    host,
    port,
    user,
    password,
    connectionTimeoutMillis: 10_000,
    ssl: { ca: certificate, checkServerIdentity: () => undefined },
  };
}

/**
 * Lends a session at another server.
 * @throws when it cannot be reached or refuses; when `signal` fires
 */
export async function atRemote<T>(
  remote: Remote,
  use: (client: pg.Client) => Promise<T>,
  { database, replication, signal }: RemoteSession,
): Promise<T> {
  signal?.throwIfAborted();
  const client = new pg.Client(
    remoteOptions(remote, { ...(database && { database }), ...(replication && { replication }) }),
  );
  client.on('error', () => undefined); // the query under way rejects with it
  const breakOff = () => client.connection.stream.destroy();
  signal?.addEventListener('abort', breakOff, { once: true });
  try {
    await client.connect();
    return await use(client);
  } finally {
    // Not end(): it would wait for a copy that was given up half-way.
    breakOff();
    signal?.removeEventListener('abort', breakOff);
  }
}
