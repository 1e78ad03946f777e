import { z } from 'zod';
import { files } from './configuration.js';
import type { Endpoint } from './record.js';
import { type Session, withSession } from './session.js';

const position = z.object({ position: z.string() });

/** Where the history of a server ends, whether it wrote it itself or follows. */
export async function historyEnd(session: Session): Promise<string> {
  const sql = 'SELECT @@GLOBAL.gtid_binlog_pos AS position';
  return (await session.row(position, sql)).position;
}

/** Where the history of a primary ends, as one of its followers may ask. */
export function primaryEnd({ host, port, user, password, certificate }: Endpoint): Promise<string> {
  return withSession({ host, port, certificate }, { user, password }, historyEnd);
}

/**
 * How long a server is asked to wait at a time, in milliseconds. The first who waits after a start has it read how far it
 * is, and would keep it from following for as long as that waits.
 */
const waitAtOnce = 200;

/**
 * Waits a moment, and no longer than `timeout` milliseconds, for a follower to replay a position.
 * @returns whether it has
 */
export async function replays(
  session: Session,
  position: string,
  timeout: number,
): Promise<boolean> {
  const sql = 'SELECT MASTER_GTID_WAIT(?, ?) AS code';
  const seconds = Math.max(0, Math.min(timeout, waitAtOnce)) / 1000;
  const { code } = await session.row(z.object({ code: z.number().nullable() }), sql, [
    position,
    seconds,
  ]);
  return code === 0;
}

/** Gives a copy the history that it was taken at the end of; it has none yet. */
export async function beginHistory(session: Session, position: string): Promise<void> {
  await session.run('RESET MASTER');
  await session.run('SET GLOBAL gtid_binlog_state = ?', [position]);
}

/**
 * Has a server follow its primary from where its own history ends. Every server writes what it replays into
 * its own history in one transaction, so that is all that needs to be known, after a crash too.
 */
export async function followPrimary(session: Session, endpoint: Endpoint): Promise<void> {
  const { host, port, user, password } = endpoint;
  await session.run('STOP SLAVE');
  await session.run('SET GLOBAL gtid_slave_pos = @@GLOBAL.gtid_binlog_pos');
  await session.run(
    `CHANGE MASTER TO MASTER_HOST = ?, MASTER_PORT = ?, MASTER_USER = ?, MASTER_PASSWORD = ?,
       MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1,
       MASTER_SSL = 1, MASTER_SSL_CA = ?, MASTER_SSL_VERIFY_SERVER_CERT = 0`,
    [host, port, user, password, files.primaryCertificate],
  );
  await session.run('START SLAVE');
}

export async function stopFollowing(session: Session): Promise<void> {
  await session.run('STOP SLAVE');
  await session.run('RESET SLAVE ALL');
}

const status = z.object({
  Slave_IO_Running: z.string(),
  Slave_SQL_Running: z.string(),
  Last_IO_Errno: z.coerce.number(),
  Last_SQL_Errno: z.coerce.number(),
  Last_SQL_Error: z.string(),
  Relay_Log_Space: z.coerce.number(),
  Relay_Log_Pos: z.coerce.number(),
});

/** No more is told of an error: a statement in it may hold a password. */
const failedTable = /^Could not execute \w+ event on table ([^;]+);/;

/** How a follower is doing. */
export interface Replication {
  readonly isConnected: boolean;
  /** The number of the error that ended it; null while it goes on. */
  readonly error: number | null;
  /** The table whose change could not be replayed, if it was that. */
  readonly table: string | null;
  /** Bytes that have been received and not been replayed. */
  readonly received: number;
}

/** @returns null when the server has not been told to follow */
export async function replication(session: Session): Promise<Replication | null> {
  const [seen] = await session.rows(status, 'SHOW SLAVE STATUS');
  if (!seen) return null;
  const error =
    (seen.Slave_IO_Running === 'No' && seen.Last_IO_Errno) ||
    (seen.Slave_SQL_Running === 'No' && seen.Last_SQL_Errno) ||
    null;
  return {
    isConnected: seen.Slave_IO_Running === 'Yes',
    error,
    table: failedTable.exec(seen.Last_SQL_Error)?.[1] ?? null,
    received: Math.max(0, seen.Relay_Log_Space - seen.Relay_Log_Pos),
  };
}

const log = z.object({ Log_name: z.string(), File_size: z.coerce.number() });

/** Forgets the oldest history beyond so many bytes. A follower that lacks it is copied anew. */
export async function boundHistory(session: Session, most: number): Promise<void> {
  const logs = await session.rows(log, 'SHOW BINARY LOGS');
  let bytes = 0;
  const kept = logs.reverse().filter(({ File_size }) => {
    bytes += File_size;
    return bytes <= most;
  });
  const oldest = kept.at(-1) ?? logs[0]; // the newest is written to
  if (oldest) await session.run('PURGE BINARY LOGS TO ?', [oldest.Log_name]);
}
