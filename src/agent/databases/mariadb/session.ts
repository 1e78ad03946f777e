import { connect, type Socket } from 'node:net';
import mysql from 'mysql2/promise';
import type { z } from 'zod';

/** How to log in. */
export interface Login {
  readonly user: string;
  readonly password: string;
}

/** Where a server is: a socket of this host, or an address with the certificate that it must show. */
export type Place =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly certificate: string };

/** How long a server may take to answer who connects, in milliseconds. */
const patience = 10_000;

/** A session with a server, lent by {@link withSession}. Values stand for the `?` of a statement, quoted. */
export class Session {
  readonly #connection: mysql.Connection;

  constructor(connection: mysql.Connection) {
    this.#connection = connection;
  }

  async run(sql: string, values: readonly unknown[] = []): Promise<void> {
    await this.#connection.query(sql, [...values]);
  }

  /** @throws when a row is not what `schema` describes */
  async rows<T>(schema: z.ZodType<T>, sql: string, values: readonly unknown[] = []): Promise<T[]> {
    const [rows] = await this.#connection.query<mysql.RowDataPacket[]>(sql, [...values]);
    return schema.array().parse(rows);
  }

  /** The one row that there is. */
  async row<T>(schema: z.ZodType<T>, sql: string, values: readonly unknown[] = []): Promise<T> {
    const [row] = await this.rows(schema, sql, values);
    if (row === undefined) throw new Error('MariaDB answered with no row.');
    return row;
  }
}

/** A name, quoted. */
export const quoteName = (name: string): string => mysql.escapeId(name, true);

/**
 * Lends a session.
 * @throws when the server does not answer, or refuses; when `signal` fires
 */
export async function withSession<T>(
  place: Place,
  { user, password }: Login,
  use: (session: Session) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  signal?.throwIfAborted();
  const socket = reach(place);
  const breakOff = () => socket.destroy();
  signal?.addEventListener('abort', breakOff, { once: true });
  const ssl = 'certificate' in place && {
    // The certificate itself is pinned, so the name in it says nothing more.
    ssl: { ca: place.certificate, rejectUnauthorized: true, verifyIdentity: false },
  };
  try {
    const connection = await mysql.createConnection({
      ...{ user, password, ...ssl },
      stream: socket,
      connectTimeout: patience,
      charset: 'utf8mb4',
    });
    connection.on('error', () => undefined); // the statement under way rejects with it
    return await use(new Session(connection));
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    // The server ends a session that is gone; there is nothing to say goodbye for.
    socket.destroy();
    signal?.removeEventListener('abort', breakOff);
  }
}

function reach(place: Place): Socket {
  if ('socketPath' in place) return connect(place.socketPath);
  return connect({ host: place.host, port: place.port, noDelay: true });
}

/** The number of MariaDB's error (MariaDB documentation, "MariaDB Error Codes"); null of any other error. */
export function errorNumber(error: unknown): number | null {
  if (!(error instanceof Error) || !('errno' in error)) return null;
  const { errno } = error;
  return typeof errno === 'number' && errno >= 1_000 ? errno : null; // below are the system's
}
