import type pg from 'pg';
import { superuser } from '../../../../postgresql/cluster.js';
import type { Platform } from '../platform.js';
import { streamedTables, unidentifiedTables } from './followable.js';
import { publication, schema } from './names.js';

/** What {@link inspectRows} found in one database. */
export interface Found {
  readonly obstacles: string[];
  readonly remarks: string[];
}

/**
 * Types whose values cannot be compared: neither they nor what they are made of has an operator
 * for that. A row of a table without a key is found by all of its values.
 */
const incomparable = `
  WITH RECURSIVE made_of (type, base) AS (
    SELECT oid, oid FROM pg_type
    UNION
    SELECT m.type, part.type
      FROM made_of m JOIN pg_type t ON t.oid = m.base
     CROSS JOIN LATERAL (
       SELECT t.typbasetype WHERE t.typtype = 'd'
       UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
       UNION ALL SELECT atttypid FROM pg_attribute
                  WHERE t.typtype = 'c' AND attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped) AS part (type)),
  comparable (type) AS (
    SELECT opcintype FROM pg_opclass JOIN pg_am am ON am.oid = opcmethod
     WHERE opcdefault AND amname IN ('btree', 'hash'))
  SELECT m.type FROM made_of m JOIN pg_type t ON t.oid = m.base
   WHERE t.typtype = 'b' AND t.typcategory <> 'A' AND t.oid NOT IN (SELECT type FROM comparable)
     AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = t.oid AND castmethod = 'b' AND castcontext = 'i'
                      AND casttarget IN (SELECT type FROM comparable))`;

/** The version from which all of a row tells it apart only if nothing of that is generated. */
const firstWithoutGenerated = 18;

/** What following by rows cannot carry of one database, or its owner should know of. Looks; changes nothing. */
export async function inspectRows(client: pg.Client, to: Platform): Promise<Found> {
  const { rows } = await client.query<{
    incomparable: string[];
    generated: string[];
    events: string[];
    subscriptions: string[];
    views: string[];
    numbers: string[];
    slow: string[];
    unlogged: string[];
    extensions: string[];
    taken: boolean;
  }>(
    `SELECT ARRAY(SELECT DISTINCT t.name FROM (${unidentifiedTables}) t
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   WHERE t.index IS NULL AND a.atttypid IN (SELECT type FROM (${incomparable}) i)) AS incomparable,
            ARRAY(SELECT t.name FROM (${unidentifiedTables}) t
                   WHERE $5 AND t.index IS NULL AND t.generated
                   UNION
                  SELECT t.name FROM (${streamedTables}) t
                    JOIN pg_index i ON i.indrelid = t.oid AND (i.indisprimary OR i.indisreplident)
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey) AND a.attgenerated <> '') AS generated,
            ARRAY(SELECT t.name FROM (${unidentifiedTables}) t
                   WHERE t.index IS NULL AND pg_table_size(t.oid) > 1024 * 1024) AS slow,
            ARRAY(SELECT oid::regclass::text FROM pg_class
                   WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
            ARRAY(SELECT quote_ident(evtname) FROM pg_event_trigger WHERE evtenabled IN ('A', 'R')) AS events,
            ARRAY(SELECT quote_ident(subname) FROM pg_subscription
                   WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS subscriptions,
            ARRAY(SELECT oid::regclass::text FROM pg_class WHERE relkind = 'm' AND relispopulated) AS views,
            ARRAY(SELECT t.name || '.' || quote_ident(a.attname) FROM (${streamedTables}) t
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
                   WHERE a.atttypid IN ('xid'::regtype, 'xid8'::regtype, 'pg_snapshot'::regtype, 'txid_snapshot'::regtype, 'pg_lsn'::regtype)) AS numbers,
            ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> ALL ($1)) AS extensions,
            EXISTS (SELECT FROM pg_namespace WHERE nspname = $2 AND nspowner <> $3::regrole)
              OR EXISTS (SELECT FROM pg_publication WHERE pubname = $4 AND pubowner <> $3::regrole) AS taken`,
    [...[to.extensions, schema, superuser, publication], Number(to.major) >= firstWithoutGenerated],
  );
  const row = rows[0];
  if (!row) throw new Error('PostgreSQL did not answer what it holds.');
  const listed = (names: readonly string[]) => names.join(', ');
  return {
    obstacles: [
      ...(row.taken
        ? [`Its schema or publication ${schema} has a name that is needed. Rename it.`]
        : []),
      ...(row.incomparable.length > 0
        ? [
            `Changed rows of ${listed(row.incomparable)} could not be found again: no primary key, and values that cannot be compared, such as json. Give each a primary key.`,
          ]
        : []),
      ...(row.generated.length > 0
        ? [
            `Changed rows of ${listed(row.generated)} could not be told apart by generated columns, which are not sent. Give each a primary key of other columns.`,
          ]
        : []),
      ...(row.events.length > 0
        ? [
            `Event triggers (${listed(row.events)}) fire ALWAYS or for a REPLICA, and so would they for what makes the follower. ALTER EVENT TRIGGER … ENABLE.`,
          ]
        : []),
      ...(row.subscriptions.length > 0
        ? [`Subscriptions (${listed(row.subscriptions)}) do not move. Drop each, and make it anew.`]
        : []),
      ...(row.extensions.length > 0
        ? [
            `The destination's PostgreSQL ${to.major} lacks the extensions ${listed(row.extensions)}. Have them installed there, or drop them.`,
          ]
        : []),
    ],
    remarks: [
      ...(row.slow.length > 0
        ? [
            `${listed(row.slow)} has no primary key: for every row that is changed or deleted all of it is read in the follower. Give it one if many are.`,
          ]
        : []),
      ...(row.views.length > 0
        ? [
            `Materialised views (${listed(row.views)}) are refreshed where they arrive, and show what is in their tables then.`,
          ]
        : []),
      ...(row.numbers.length > 0
        ? [
            `${listed(row.numbers)} keep numbers of transactions or places in the log. They arrive as they are, and mean nothing there: the new server counts anew.`,
          ]
        : []),
      ...(row.unlogged.length > 0
        ? [`Unlogged tables (${listed(row.unlogged)}) are copied while requests wait.`]
        : []),
    ],
  };
}
