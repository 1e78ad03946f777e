import { isDeepStrictEqual } from 'node:util';
import type pg from 'pg';
import { messageOf } from '../../../../shared/errors.js';
import { carryLargeObjects } from './large-objects.js';
import { asOurselves, schema } from './names.js';
import { copyTable, speakPlainly, unloggedTables } from './tables.js';

/** How many sequences are asked for at once. */
const sequencesAtOnce = 500;

/**
 * Materialised views whose follower may be another: those that were refreshed since they were
 * copied, and those that read what only comes along now. What others read comes first.
 */
const staleViews = `
  WITH RECURSIVE reads (view, relation) AS (
    SELECT DISTINCT r.ev_class, d.refobjid
      FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
     WHERE r.ev_type = '1' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class),
  all_reads (view, relation, depth) AS (
    SELECT view, relation, 1 FROM reads
    UNION
    SELECT a.view, r.relation, a.depth + 1 FROM all_reads a JOIN reads r ON r.view = a.relation)
  SELECT m.name, c.relispopulated AS populated
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   CROSS JOIN format('%I.%I', n.nspname, c.relname) AS m (name)
    LEFT JOIN all_reads a ON a.view = c.oid
    LEFT JOIN pg_class what ON what.oid = a.relation
   WHERE c.relkind = 'm'
   GROUP BY m.name, c.relispopulated
  HAVING m.name IN (SELECT relation FROM ${schema}.refreshed)
      OR c.relispopulated AND bool_or(what.relkind = 'S' OR what.relpersistence = 'u')
   ORDER BY max(a.depth) NULLS FIRST, m.name`;

/**
 * Brings along what streams do not: values of sequences, large objects, and materialised views that
 * were refreshed. Final when the primary changes no more.
 * @throws when the follower has them otherwise than its primary then
 */
export async function carry(primary: pg.Client, follower: pg.Client): Promise<void> {
  await asOurselves(follower);
  await speakPlainly(primary);
  await carrySequences(primary, follower);
  await carryLargeObjects(primary, follower);
  const { rows } = await primary.query<{ name: string; populated: boolean }>(staleViews);
  for (const { name, populated } of rows) {
    await refresh(follower, name, populated);
  }
}

async function refresh(follower: pg.Client, name: string, populated: boolean): Promise<void> {
  try {
    await follower.query(`REFRESH MATERIALIZED VIEW ${name}${populated ? '' : ' WITH NO DATA'}`);
  } catch (error) {
    throw new Error(`The materialised view ${name} cannot be refreshed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Copies the rows of tables that no log tells of. @param follower a session of the writer's */
export async function carryUnlogged(primary: pg.Client, follower: pg.Client): Promise<void> {
  await asOurselves(follower);
  await speakPlainly(primary);
  await speakPlainly(follower);
  for (const table of await unloggedTables(primary)) {
    await copyTable(primary, follower, table, 'filled');
  }
}

async function carrySequences(primary: pg.Client, follower: pg.Client): Promise<void> {
  const { rows } = await follower.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relkind = 'S' AND relpersistence <> 't'`,
  );
  for (let at = 0; at < rows.length; at += sequencesAtOnce) {
    const some = rows.slice(at, at + sequencesAtOnce).map(({ name }) => name);
    const reads = some.map(
      (name) =>
        `SELECT ${primary.escapeLiteral(name)} AS name, last_value::text AS value, is_called AS called FROM ${name}`,
    );
    const read = async (client: pg.Client) => {
      const found = await client.query<{ name: string; value: string; called: boolean }>(
        reads.join(' UNION ALL '),
      );
      return found.rows;
    };
    const values = await read(primary);
    await follower.query(
      `SELECT setval(name::regclass, value, called)
         FROM unnest($1::text[], $2::bigint[], $3::bool[]) AS one (name, value, called)`,
      [
        values.map(({ name }) => name),
        values.map(({ value }) => value),
        values.map(({ called }) => called),
      ],
    );
    const arrived = new Map((await read(follower)).map((one) => [one.name, one]));
    const wrong = values.filter((one) => !isDeepStrictEqual(arrived.get(one.name), one));
    if (wrong.length > 0) {
      throw new Error(`Sequences differ: ${wrong.map(({ name }) => name).join(', ')}.`);
    }
  }
}
