import { z } from 'zod';
import { quoteName, type Session } from './session.js';

/*
 * Events of an app run in its primary only. A statement that makes or changes one is replayed with the
 * event switched off (SLAVESIDE_DISABLED), whether it was on or off: followers do not know which. So a primary that
 * is fenced says so once more, row by row, and whoever becomes primary has its scheduler take them up.
 * The column `originator` (the server that an event is of) tells which of the two has happened.
 */

const handedOver = 0;

/** Tells the followers of every event whether it is on. Part of the history; may be repeated. */
export async function handOverEvents(session: Session): Promise<void> {
  await session.run('SET SESSION sql_log_bin = 1');
  await session.run('UPDATE mysql.event SET originator = ? WHERE originator <> ?', [
    handedOver,
    handedOver,
  ]);
  await session.run('SET SESSION sql_log_bin = 0');
}

const event = z.object({
  db: z.string(),
  name: z.string(),
  user: z.string(),
  host: z.string(),
  sql_mode: z.string(),
  time_zone: z.string(),
  character_set_client: z.string(),
  collation_connection: z.string(),
});

/** Has the scheduler of a primary take up the events that have been handed over. May be repeated. */
export async function takeUpEvents(session: Session): Promise<void> {
  const events = await session.rows(
    event,
    `SELECT db, name, sql_mode, CAST(time_zone AS char) AS time_zone,
            character_set_client, collation_connection, SUBSTRING_INDEX(definer, '@', -1) AS host,
            LEFT(definer, CHAR_LENGTH(definer) - CHAR_LENGTH(SUBSTRING_INDEX(definer, '@', -1)) - 1) AS user
       FROM mysql.event WHERE originator = ? AND status = 'ENABLED'`,
    [handedOver],
  );
  for (const { db, name, user, host, ...settings } of events) {
    // What is not named in the statement becomes that of its session.
    for (const [setting, value] of Object.entries(settings)) {
      await session.run(`SET SESSION ${setting} = ?`, [value]);
    }
    const sql = `ALTER DEFINER = ${quoteName(user)}@${quoteName(host)} EVENT ${quoteName(db)}.${quoteName(name)} ENABLE`;
    // Whatever the characters of that session are, these are Unicode.
    await session.run('EXECUTE IMMEDIATE CONVERT(? USING utf8mb4)', [Buffer.from(sql)]);
  }
  await session.run('UPDATE mysql.event SET originator = @@server_id WHERE originator = ?', [
    handedOver,
  ]);
}
