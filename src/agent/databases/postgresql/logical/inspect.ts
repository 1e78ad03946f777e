import type pg from 'pg';
import { superuser } from '../../../../postgresql/cluster.js';
import type { Platform } from '../platform.js';
import { unidentifiedTables } from './followable.js';
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
    SELECT m.type, CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END
      FROM made_of m JOIN pg_type t ON t.oid = m.base
     WHERE t.typtype = 'd' OR t.typcategory = 'A'),
  comparable (type) AS (
    SELECT opcintype FROM pg_opclass JOIN pg_am am ON am.oid = opcmethod
     WHERE opcdefault AND amname IN ('btree', 'hash'))
  SELECT m.type FROM made_of m JOIN pg_type t ON t.oid = m.base
   WHERE t.typtype = 'b' AND t.typcategory <> 'A' AND t.oid NOT IN (SELECT type FROM comparable)
     AND NOT EXISTS (SELECT FROM pg_cast WHERE castsource = t.oid AND castmethod = 'b' AND castcontext = 'i'
                      AND casttarget IN (SELECT type FROM comparable))`;

/** What following by rows cannot carry of one database, or its owner should know of. Looks; changes nothing. */
export async function inspectRows(client: pg.Client, to: Platform): Promise<Found> {
  const { rows } = await client.query<{
    incomparable: string[];
    slow: string[];
    unlogged: string[];
    extensions: string[];
    taken: boolean;
  }>(
    `SELECT ARRAY(SELECT DISTINCT t.name FROM (${unidentifiedTables}) t
                    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                   WHERE t.index IS NULL AND a.atttypid IN (SELECT type FROM (${incomparable}) i)) AS incomparable,
            ARRAY(SELECT t.name FROM (${unidentifiedTables}) t
                   WHERE t.index IS NULL AND pg_relation_size(t.oid) > 1024 * 1024) AS slow,
            ARRAY(SELECT oid::regclass::text FROM pg_class
                   WHERE relpersistence = 'u' AND relkind = 'r') AS unlogged,
            ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> ALL ($1)) AS extensions,
            EXISTS (SELECT FROM pg_namespace WHERE nspname = $2 AND nspowner <> $3::regrole)
              OR EXISTS (SELECT FROM pg_publication WHERE pubname = $4 AND pubowner <> $3::regrole) AS taken`,
    [to.extensions, schema, superuser, publication],
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
      ...(row.unlogged.length > 0
        ? [`Unlogged tables (${listed(row.unlogged)}) are copied while requests wait.`]
        : []),
    ],
  };
}
