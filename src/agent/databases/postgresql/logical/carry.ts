import type pg from 'pg';
import { carryLargeObjects } from './large-objects.js';
import { asOurselves, schema } from './names.js';
import { copyTable, speakPlainly, unloggedTables } from './tables.js';

/** How many sequences are asked for at once. */
const sequencesAtOnce = 500;

/**
 * Brings along what streams do not: values of sequences, large objects, and materialised views that
 * were refreshed. Final when the primary changes no more.
 */
export async function carry(primary: pg.Client, follower: pg.Client): Promise<void> {
  await asOurselves(follower);
  await speakPlainly(primary);
  await carrySequences(primary, follower);
  await carryLargeObjects(primary, follower);
  const { rows } = await primary.query<{ relation: string }>(
    `SELECT relation FROM ${schema}.refreshed`,
  );
  for (const { relation } of rows) {
    await follower.query(`REFRESH MATERIALIZED VIEW ${relation}`);
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
    const values = await primary.query<{ name: string; value: string; called: boolean }>(
      reads.join(' UNION ALL '),
    );
    await follower.query(
      `SELECT setval(name::regclass, value, called)
         FROM unnest($1::text[], $2::bigint[], $3::bool[]) AS one (name, value, called)`,
      [
        values.rows.map(({ name }) => name),
        values.rows.map(({ value }) => value),
        values.rows.map(({ called }) => called),
      ],
    );
  }
}
