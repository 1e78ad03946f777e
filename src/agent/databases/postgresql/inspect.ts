import type pg from 'pg';
import { chooseLink } from './choose-link.js';
import { inspectRows } from './logical/inspect.js';
import { databasesOf } from './logical/names.js';
import { dumperFor, type Platform } from './platform.js';
import type { Server } from './server.js';

interface Found {
  readonly version: string;
  readonly size: number;
  readonly obstacles: string[];
  readonly unsuitable: string[];
  readonly remarks: string[];
}

/** A follower takes one session to copy and one to follow. */
const sessionsToFollow = 2;

/** How many databases of one server a follower has workers for. */
const mostDatabases = 5;

interface Facts {
  readonly version: string;
  readonly size: string;
  readonly tablespaces: string[];
  readonly unlogged: string[];
  readonly prepared: string;
  readonly wal_level: string;
  readonly senders: number;
  readonly slots: number;
  readonly ssl: boolean;
}

/**
 * What a primary is, and what stands in the way of following it. Looks; changes nothing.
 * @param to what its follower would run on
 */
export async function inspectServer(server: Server, own: Platform, to: Platform): Promise<Found> {
  const { database } = server.record.login;
  const facts = await server.query(factsOf, { database });
  const link = await chooseLink(server, own, to);
  const found = link === 'physical' ? judgeFiles(facts) : await judgeRows(server, facts, to);
  return { version: facts.version, size: Number(facts.size), ...found };
}

async function factsOf(client: pg.Client): Promise<Facts> {
  const { rows } = await client.query<Facts>(`
    SELECT current_setting('server_version') AS version,
           (SELECT sum(pg_database_size(oid)) FROM pg_database) AS size,
           ARRAY(SELECT spcname::text FROM pg_tablespace WHERE spcname NOT LIKE 'pg\\_%') AS tablespaces,
           ARRAY(SELECT oid::regclass::text FROM pg_class
                  WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
           (SELECT count(*) FROM pg_prepared_xacts) AS prepared,
           current_setting('wal_level') AS wal_level,
           current_setting('max_wal_senders')::int
             - (SELECT count(*)::int FROM pg_stat_replication) AS senders,
           current_setting('max_replication_slots')::int
             - (SELECT count(*)::int FROM pg_replication_slots) AS slots,
           current_setting('ssl')::bool AS ssl`);
  if (!rows[0]) throw new Error('PostgreSQL did not answer what it is.');
  return rows[0];
}

/** What physical replication cannot carry, or the owner should know of. */
function judgeFiles(facts: Facts): Omit<Found, 'version' | 'size'> {
  const obstacles: string[] = [];
  if (facts.tablespaces.length > 0) {
    obstacles.push(
      `It has tablespaces (${facts.tablespaces.join(', ')}), which cannot be copied. Move their tables to pg_default.`,
    );
  }
  if (facts.unlogged.length > 0) {
    obstacles.push(
      `Unlogged tables (${facts.unlogged.join(', ')}) would arrive empty. Run ALTER TABLE … SET LOGGED, or drop them.`,
    );
  }
  const remarks =
    facts.prepared === '0'
      ? []
      : [`${facts.prepared} prepared transactions are open; they move as they are.`];
  const unsuitable = [
    ...(facts.wal_level === 'minimal'
      ? ['wal_level is "minimal", so that nothing can follow it. Set it to "replica" and restart.']
      : []),
    ...lacks(facts, { senders: sessionsToFollow, slots: 1 }),
  ];
  return { obstacles, unsuitable, remarks };
}

/** Those that {@link databasesOf} leaves out, beside what every cluster has. */
async function stayingDatabases(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT datname AS name FROM pg_database
      WHERE (datistemplate OR NOT datallowconn) AND datname NOT IN ('template0', 'template1') ORDER BY oid`,
  );
  return rows.map(({ name }) => name);
}

/** The same for logical replication. */
async function judgeRows(
  server: Server,
  facts: Facts,
  to: Platform,
): Promise<Omit<Found, 'version' | 'size'>> {
  const { host, record } = server;
  const databases = await server.query(databasesOf);
  const found = await Promise.all(
    databases.map(({ name }) =>
      server.query((client) => inspectRows(client, to), { database: name }),
    ),
  );
  const obstacles = found.flatMap((one) => one.obstacles);
  const staying = await server.query(stayingDatabases);
  if (staying.length > 0) {
    obstacles.push(
      `Databases that are templates, or that nobody may connect to (${staying.join(', ')}), do not move. Drop each, or make it a usual one.`,
    );
  }
  if (Number(to.major) < Number(record.major)) {
    obstacles.push(
      `PostgreSQL ${to.major} is older than ${record.major}, and may lack what is in use. Choose ${record.major} or a later version.`,
    );
  } else if (!(await dumperFor(host.majors, record.major, to.major))) {
    obstacles.push(
      `The source's host has no pg_dump that reads PostgreSQL ${record.major}. Install the package postgresql-client-${record.major} or a later one, up to ${to.major}, there.`,
    );
  }
  if (facts.prepared !== '0') {
    obstacles.push(
      `${facts.prepared} prepared transactions are open, which do not move. Commit or roll back each.`,
    );
  }
  if (databases.length > mostDatabases) {
    obstacles.push(
      `It has ${databases.length} databases, and at most ${mostDatabases} can move. Drop some.`,
    );
  }
  const unsuitable = [
    ...(facts.wal_level === 'logical'
      ? []
      : [
          `wal_level is "${facts.wal_level}", so that no other version can follow it. Restart the database, which sets it to "logical".`,
        ]),
    ...lacks(facts, {
      senders: databases.length * sessionsToFollow,
      slots: databases.length,
    }),
  ];
  const why =
    to.major === record.major
      ? 'Its files would not do on the host there, whose processor or sorting of text is another'
      : `It becomes PostgreSQL ${to.major}`;
  const remarks = [
    `${why}, so it is copied row by row. Until the migration is completed, rolled back or aborted, rows can be changed in it, and nothing else: no CREATE, ALTER or DROP of what is not temporary.`,
    ...found.flatMap((one) => one.remarks),
  ];
  return { obstacles, unsuitable, remarks };
}

function lacks(facts: Facts, needed: { readonly senders: number; readonly slots: number }) {
  return [
    ...(facts.senders < needed.senders
      ? [
          `${Math.max(0, facts.senders)} of max_wal_senders are free, and ${needed.senders} are needed. Raise it and restart.`,
        ]
      : []),
    ...(facts.slots < needed.slots
      ? [
          `${needed.slots === 1 ? 'None' : `${Math.max(0, facts.slots)}`} of max_replication_slots is free${needed.slots === 1 ? '' : `, and ${needed.slots} are needed`}. Raise it and restart.`,
        ]
      : []),
    ...(facts.ssl ? [] : ['ssl is off, and copies travel over TLS only. Set it to on and reload.']),
  ];
}
