import { z } from 'zod';
import { until } from '../../../shared/until.js';
import { type Conduct, conductOf } from './configuration.js';
import { handOverEvents, takeUpEvents } from './events.js';
import { dropForeignGrants } from './grants.js';
import { followerPrefix, superuser } from './names.js';
import type { DatabaseRecord } from './record.js';
import { followPrimary, stopFollowing } from './replication.js';
import { errorNumber, type Session } from './session.js';

/**
 * Makes a running server be what its record says: a primary, a fenced one, or a follower. May be
 * repeated, and taken up by anybody after a crash at any point.
 * @throws when `signal` fires
 */
export async function takeRole(
  session: Session,
  record: DatabaseRecord,
  signal?: AbortSignal,
): Promise<void> {
  const conduct = conductOf(record);
  await endUnfinishedFences(session);
  await dropForeignGrants(session, record.grants);
  if (record.role === 'follower') {
    await behave(session, conduct, signal);
    if (record.following) await followPrimary(session, record.following.endpoint);
    return;
  }
  await stopFollowing(session);
  if (!record.fenced) await takeUpEvents(session);
  await behave(session, conduct, signal);
  if (record.fenced) {
    await endSessions(session, signal); // who slipped in, and only read
    await handOverEvents(session);
  }
}

/** The door is closed before those inside are asked to leave, and opened last. */
async function behave(
  session: Session,
  { init_connect, event_scheduler, read_only, binlog_expire_logs_seconds }: Conduct,
  signal?: AbortSignal,
): Promise<void> {
  await session.run('SET GLOBAL binlog_expire_logs_seconds = ?', [binlog_expire_logs_seconds]);
  if (read_only) {
    await session.run('SET GLOBAL event_scheduler = ?', [event_scheduler]);
    await session.run('SET GLOBAL init_connect = ?', [init_connect]);
    if (init_connect !== '') await endSessions(session, signal);
    await refuseWrites(session, signal);
    return;
  }
  await session.run('SET GLOBAL read_only = 0');
  await session.run('SET GLOBAL event_scheduler = ?', [event_scheduler]);
  await session.run('SET GLOBAL init_connect = ?', [init_connect]);
}

/** `ER_LOCK_WAIT_TIMEOUT` */
const lockWaitTimeout = 1205;

/** Waits for commits that are under way; nothing is committed any more afterwards. */
async function refuseWrites(session: Session, signal?: AbortSignal): Promise<void> {
  // So that a server does not go on trying for somebody who has given up.
  await session.run('SET SESSION lock_wait_timeout = 1');
  const refuse = () =>
    session.run('SET GLOBAL read_only = 1').then(
      () => true,
      (error) => {
        if (errorNumber(error) === lockWaitTimeout) return false;
        throw error;
      },
    );
  await until(refuse, {
    timeout: Number.POSITIVE_INFINITY,
    every: 1,
    signal,
    what: 'the last commits',
  });
}

const thread = z.object({ id: z.number() });

/**
 * Ends the sessions that everybody but followers and the superuser has now, and waits until they are gone. Who
 * comes later finds the door closed, however often that is.
 */
async function endSessions(session: Session, signal?: AbortSignal): Promise<void> {
  const sql = `SELECT id FROM information_schema.processlist
    WHERE user NOT IN (?, 'system user', 'event_scheduler') AND LEFT(user, ?) <> ?`;
  const sessions = async () => {
    const values = [superuser, followerPrefix.length, followerPrefix];
    return (await session.rows(thread, sql, values)).map(({ id }) => id);
  };
  const inside = new Set(await sessions());
  await until(
    async () => {
      const left = (await sessions()).filter((id) => inside.has(id));
      for (const id of left) await kill(session, id);
      return left.length === 0;
    },
    { timeout: Number.POSITIVE_INFINITY, every: 5, signal, what: 'sessions to end' },
  );
}

/** A fence that was given up may still be waiting for the last commits, in the server. */
async function endUnfinishedFences(session: Session): Promise<void> {
  const sql = `SELECT id FROM information_schema.processlist
    WHERE user = ? AND id <> CONNECTION_ID() AND info LIKE 'SET GLOBAL read_only%'`;
  await until(
    async () => {
      const left = await session.rows(thread, sql, [superuser]);
      for (const { id } of left) await kill(session, id);
      return left.length === 0;
    },
    { timeout: 10_000, every: 5, what: 'an unfinished fence to end' },
  );
}

/** `ER_NO_SUCH_THREAD` */
const noSuchThread = 1094;

async function kill(session: Session, id: number): Promise<void> {
  await session.run('KILL HARD CONNECTION ?', [id]).catch((error) => {
    if (errorNumber(error) !== noSuchThread) throw error;
  });
}
