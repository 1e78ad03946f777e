import pg from 'pg';
import { parseLsn } from '../../../postgresql/lsn.js';
import { Refusal } from '../../../shared/errors.js';
import { until } from '../../../shared/until.js';
import type { DatabaseRecord } from './record.js';

/** What a follower's role and slot are called by, in its primary. */
const followerPrefix = 'godwit_follow_';

export function followerName(follower: string): string {
  return followerPrefix + follower.replaceAll('-', '').slice(0, 12);
}

/** Makes the app's role and database, unless they are there. */
export async function ensureLogin(
  client: pg.Client,
  login: DatabaseRecord['login'],
): Promise<void> {
  const user = client.escapeIdentifier(login.user);
  const has = async (sql: string, name: string) => (await client.query(sql, [name])).rowCount !== 0;
  if (!(await has('SELECT FROM pg_roles WHERE rolname = $1', login.user))) {
    const password = client.escapeLiteral(login.password);
    await client.query(`CREATE ROLE ${user} LOGIN PASSWORD ${password}`);
  }
  if (!(await has('SELECT FROM pg_database WHERE datname = $1', login.database))) {
    const database = client.escapeIdentifier(login.database);
    await client.query(`CREATE DATABASE ${database} OWNER ${user}`);
  }
}

/**
 * Makes the role of a follower, or gives the one that is there its password.
 * @param attributes what it may do, in words of `CREATE ROLE`
 */
export async function grantRole(
  client: pg.Client,
  { name, password }: { readonly name: string; readonly password: string },
  attributes: string,
): Promise<void> {
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [name]);
  const verb = known.rowCount === 0 ? 'CREATE' : 'ALTER';
  await client.query(
    `${verb} ROLE ${client.escapeIdentifier(name)}
       LOGIN ${attributes} PASSWORD ${client.escapeLiteral(password)}`,
  );
}

/** Lets a role into every database, also into those that the app has closed to the public. */
export async function letConnect(client: pg.Client, role: string): Promise<void> {
  const { rows } = await client.query<{ datname: string }>(
    `SELECT datname FROM pg_database
      WHERE datallowconn AND NOT has_database_privilege($1, oid, 'CONNECT')`,
    [role],
  );
  for (const { datname } of rows) {
    const database = client.escapeIdentifier(datname);
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${client.escapeIdentifier(role)}`);
  }
}

/** Makes the role of a physical follower, and the slot that keeps for it what it has not had yet. */
export async function createGrant(
  client: pg.Client,
  grant: { readonly name: string; readonly password: string },
): Promise<void> {
  await grantRole(client, grant, 'REPLICATION');
  await client.query(
    `SELECT pg_create_physical_replication_slot($1, true)
      WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`,
    [grant.name],
  );
}

/** Ends the sessions of a follower's role, and takes away the slots that are named after it. */
async function dropSlots(client: pg.Client, name: string): Promise<void> {
  await until(
    async () => {
      await client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
        [name],
      );
      const { rows } = await client.query<{ slot_name: string; active: boolean }>(
        'SELECT slot_name, active FROM pg_replication_slots WHERE starts_with(slot_name, $1)',
        [name],
      );
      if (rows.some(({ active }) => active)) return false;
      for (const { slot_name } of rows) {
        await client.query('SELECT pg_drop_replication_slot($1)', [slot_name]);
      }
      return true;
    },
    { timeout: 30_000, what: `the sessions of ${name} to end` },
  );
}

/**
 * The roles of followers but those named: what was promoted still has those of its former
 * primary's followers.
 */
export async function foreignGrants(client: pg.Client, own: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ rolname: string }>(
    'SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1) AND rolname <> ALL ($2)',
    [followerPrefix, own],
  );
  return rows.map(({ rolname }) => rolname);
}

/** Takes away all slots of followers. */
export async function dropAllSlots(client: pg.Client): Promise<void> {
  for (const name of await foreignGrants(client, [])) await dropSlots(client, name);
}

/** Takes away all grants but those named, which must have no rights of their own to anything. */
export async function dropForeignGrants(client: pg.Client, own: readonly string[]): Promise<void> {
  for (const name of await foreignGrants(client, own)) {
    await dropSlots(client, name);
    await client.query(`DROP ROLE IF EXISTS ${client.escapeIdentifier(name)}`);
  }
}

/**
 * Adds something to the history, and waits until every one of these followers says that it keeps it. That one
 * streams tells little: a connection of which the other end is gone is called so too.
 * @throws after `timeout` ms
 */
export async function hearFrom(
  client: pg.Client,
  followers: readonly string[],
  timeout: number,
): Promise<void> {
  // Within a transaction, whose end is flushed, and so sent.
  await client.query(`SELECT pg_logical_emit_message(true, 'godwit', '')`);
  const { rows } = await client.query<{ end: string }>('SELECT pg_current_wal_lsn() AS end');
  const heard = async () => {
    const { rowCount } = await client.query(
      'SELECT FROM pg_stat_replication WHERE flush_lsn >= $1 AND usename = ANY ($2)',
      [rows[0]?.end, followers],
    );
    return rowCount === followers.length;
  };
  await until(heard, { timeout, every: 5, what: 'the followers' });
}

/** Makes a follower a primary; what is one already stays one. */
export async function promoteFollower(client: pg.Client): Promise<void> {
  if (!(await follows(client))) return;
  // Not to be waited for by pg_promote itself, which looks ten times a second only.
  await client.query('SELECT pg_promote(false)');
  await until(async () => !(await follows(client)), {
    timeout: 60_000,
    every: 5,
    what: 'the promotion',
  });
}

async function follows(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ follows: boolean }>(
    'SELECT pg_is_in_recovery() AS follows',
  );
  return rows[0]?.follows !== false;
}

/** Where a primary's history ends now, or how far a follower has replayed. */
export async function currentPosition(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lsn: string | null }>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_flush_lsn() END AS lsn`,
  );
  return rows[0]?.lsn ?? '0/0';
}

/** How far a follower is; 0 before it has replayed anything. */
export async function replayPosition(
  client: pg.Client,
): Promise<{ replayed: bigint; received: bigint; streams: boolean }> {
  const { rows } = await client.query<{
    replayed: string | null;
    received: string | null;
    streams: boolean;
  }>(
    `SELECT pg_last_wal_replay_lsn() AS replayed, pg_last_wal_receive_lsn() AS received,
            EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS streams`,
  );
  const [found] = rows;
  return {
    replayed: parseLsn(found?.replayed ?? '0/0'),
    received: parseLsn(found?.received ?? '0/0'),
    streams: found?.streams ?? false,
  };
}

/** A physical follower's bytes still to replay; null while it is not connected. */
export async function physicalLag(client: pg.Client): Promise<number | null> {
  const { rows } = await client.query<{ lag: string | null }>(
    `SELECT greatest(0, pg_wal_lsn_diff(latest_end_lsn, pg_last_wal_replay_lsn())) AS lag
       FROM pg_stat_wal_receiver WHERE status = 'streaming'`,
  );
  return rows[0]?.lag == null ? null : Number(rows[0].lag);
}

/** Bytes of all databases of a cluster. */
export async function sizeOf(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ size: string }>(
    'SELECT sum(pg_database_size(oid)) AS size FROM pg_database',
  );
  return Number(rows[0]?.size ?? 0);
}

/** A process that serves a follower with a copy: of the files as they are, or of rows. */
interface Copier {
  readonly pid: number;
  readonly sendsFiles: boolean;
}

export async function copiersOf(
  client: pg.Client,
  followers: readonly string[],
): Promise<Copier[]> {
  const { rows } = await client.query<Copier>(
    `SELECT pid, r.state IS NOT NULL AS "sendsFiles"
       FROM pg_stat_activity a LEFT JOIN pg_stat_replication r USING (pid)
      WHERE a.usename = ANY ($1) AND coalesce(r.state, 'backup') = 'backup'`,
    [followers],
  );
  return rows;
}

/** When the configuration that new sessions go by was read. */
export async function loadedAt(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at');
  return rows[0]?.at ?? '';
}

/** Whether it was refused by us, or with a class of SQLSTATE that trying again does not change: wrong credentials, features, syntax. */
export function isRefusedForGood(error: unknown): boolean {
  if (error instanceof Refusal) return error.kind === 'conflict';
  if (error instanceof pg.DatabaseError) return /^(28|0A|42)/.test(error.code ?? '');
  return error instanceof Error && error.cause !== undefined && isRefusedForGood(error.cause);
}
