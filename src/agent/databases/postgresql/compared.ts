import type pg from 'pg';
import { z } from 'zod';
import type { Contents, Part } from '../../../region/model.js';
import { streamedTables } from './logical/followable.js';
import type { Grant } from './record.js';

/** A column that rows are ordered by, and the type that its values are read back as. */
const keyColumn = z.object({
  column: z.string(),
  type: z.string(),
  /** Whether its values are texts that two servers may sort differently, and follow each other nevertheless. */
  sorted: z.boolean().optional(),
});
export type Key = readonly z.infer<typeof keyColumn>[];

/** How a follower is kept. */
export type LinkKind = Grant['link'];

/** What is compared by itself. As JSON, it is the id of the part. */
const compared = z.discriminatedUnion('kind', [
  z.object({
    database: z.string(),
    kind: z.literal('table'),
    schema: z.string(),
    table: z.string(),
    key: z.array(keyColumn),
    /** How one of the two follows the other: by rows, they need not have anything else in common. */
    link: z.enum(['physical', 'logical']),
  }),
  /** All of a database: each is a row. */
  z.object({ database: z.string(), kind: z.literal('sequences') }),
]);
export type Compared = z.infer<typeof compared>;

/** @throws when it is no id of a part of a PostgreSQL database */
export function readPartId(id: string): Compared {
  return compared.parse(JSON.parse(id));
}

/** Whether two servers may be of different versions, and places and orders not the same. */
export function isByRows(what: Compared): boolean {
  return what.kind === 'table' && what.link === 'logical';
}

/** Whether no index has its rows in an order that both servers have: all of it is gone through for each look. */
export function isUndivided(what: Compared): boolean {
  if (what.kind !== 'table' || what.link === 'physical') return false;
  return what.key.length === 0 || what.key.some(({ sorted }) => sorted);
}

/** By where rows lie: a physical follower has each in the same place. For tables that have no key. */
export const place: Key = [{ column: 'ctid', type: 'tid' }];

/**
 * What one database of a cluster holds: tables that are not partitioned themselves, materialised
 * views, large objects, sequences. Of these a follower that is kept by rows has tables, before the switch.
 * Reads the catalogue only.
 * @param client whose session is in that database
 */
export async function contentsOf(
  client: pg.Client,
  database: string,
  link: LinkKind,
): Promise<Contents> {
  await client.query(`SET search_path = pg_catalog; SET statement_timeout = '10s'`);
  const { rows } = await client.query<TableRow>(tables);
  if (link === 'logical') return contentsByRows(database, rows);
  const kept = rows.filter(({ unlogged }) => !unlogged);
  const { rows: found } = await client.query<{ sequences: number }>(
    `SELECT count(*)::int AS sequences FROM pg_class WHERE relkind = 'S' AND relpersistence = 'p'`,
  );
  const sequences = (found[0]?.sequences ?? 0) > 0 ? [sequencesOf(database)] : [];
  return {
    parts: [...kept.map((row) => tableOf(database, row)), ...sequences],
    leftOut: rows
      .filter(({ unlogged }) => unlogged)
      .map(({ schema, table }) => `${database}: ${schema}.${table} is unlogged, and not followed.`),
  };
}

/** What cannot be divided by an index that both servers have in the same order is looked at whole. In bytes. */
const mostUndivided = 1_000_000_000;
/** So often is it gone through at most to be looked at, unless it has few rows. */
const ranges = { most: 16, least: 100_000 };

function contentsByRows(database: string, rows: readonly TableRow[]): Contents {
  const all: Contents = { parts: [], leftOut: [] };
  for (const row of rows.filter(({ streamed }) => streamed)) {
    const { schema, table, count, key } = row;
    const what: Compared = {
      ...{ database, kind: 'table', schema, table, key: key ?? [], link: 'logical' },
    };
    const [name, bytes] = [`${database}: ${schema}.${table}`, Number(row.bytes)];
    const part = { id: JSON.stringify(what), name, bytes };
    if (!isUndivided(what)) all.parts.push(part);
    else if (bytes <= mostUndivided) {
      all.parts.push({ ...part, least: Math.max(ranges.least, Math.ceil(count / ranges.most)) });
    } else {
      all.leftOut.push(`${name} is large and has no key that both are sure to sort alike.`);
    }
  }
  return all;
}

interface TableRow {
  readonly schema: string;
  readonly table: string;
  readonly bytes: string;
  readonly unlogged: boolean;
  /** Whether its rows are sent to followers that are kept by rows. */
  readonly streamed: boolean;
  /** Of rows, as the planner knows it. */
  readonly count: number;
  /** Null when there is none. */
  readonly key: z.infer<typeof keyColumn>[] | null;
}

/**
 * Bytes of a table, about, without a lock of it: as large as its first file (of a GB at most) is, or as
 * the planner knows it.
 */
const sizeOf = (table: string) =>
  `greatest(${table}.relpages::bigint * current_setting('block_size')::int,
            (pg_stat_file(pg_relation_filepath(${table}.oid), true)).size)`;

/** Whether texts of a collation are ordered by their bytes, in every version. */
const isByBytes = (collation: string) => `(
  ${collation} IN (SELECT oid FROM pg_collation WHERE collcollate IN ('C', 'POSIX'))
  OR ${collation} = 'pg_catalog."default"'::regcollation
     AND EXISTS (SELECT FROM pg_database WHERE datname = current_database()
                    AND datlocprovider = 'c' AND datcollate IN ('C', 'POSIX')))`;

/**
 * A key is what tells rows apart and never changes its meaning: a primary key or a unique index of
 * plain columns that are never null. Its types are built in ones, enumerations, and domains of
 * these: for others, what orders them may be found by a name that leads elsewhere.
 */
const tables = `
  SELECT n.nspname AS schema, c.relname AS table, ${sizeOf('c')} + coalesce(${sizeOf('toast')}, 0) AS bytes,
         c.relpersistence = 'u' AS unlogged, c.reltuples AS count,
         c.oid IN (SELECT oid FROM (${streamedTables}) streamed) AS streamed,
         (SELECT k.key
            FROM pg_index i
           CROSS JOIN LATERAL (
             SELECT jsonb_agg(jsonb_build_object(
                      'column', a.attname, 'type', format_type(b.oid, -1),
                      'sorted', a.attcollation <> 0 AND NOT ${isByBytes('a.attcollation')}) ORDER BY at) AS key,
                    bool_and(a.attnotnull AND (b.typnamespace = 'pg_catalog'::regnamespace
                                               OR b.typtype = 'e')) AS sound
               FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS own (number, at)
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = own.number
               JOIN pg_type t ON t.oid = a.atttypid
               JOIN pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
              WHERE at <= i.indnkeyatts
           ) AS k
           WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
             AND i.indpred IS NULL AND i.indexprs IS NULL AND k.sound
           ORDER BY i.indisprimary DESC, (SELECT relname FROM pg_class WHERE oid = i.indexrelid)
           LIMIT 1) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
   WHERE (c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
      OR (c.oid IN ('pg_largeobject'::regclass, 'pg_largeobject_metadata'::regclass)
          AND pg_relation_size(c.oid) > 0)`;

function tableOf(database: string, { schema, table, bytes, key }: TableRow): Part {
  const own = key?.map(({ column, type }) => ({ column, type })) ?? [...place];
  const found: Compared = { database, kind: 'table', schema, table, key: own, link: 'physical' };
  return {
    id: JSON.stringify(found),
    name: `${database}: ${schema === 'pg_catalog' ? largeObjects[table] : `${schema}.${table}`}`,
    bytes: Number(bytes),
  };
}

const largeObjects: Readonly<Record<string, string>> = {
  pg_largeobject: 'large objects',
  pg_largeobject_metadata: 'owners of large objects',
};

function sequencesOf(database: string): Part {
  const found: Compared = { database, kind: 'sequences' };
  return { id: JSON.stringify(found), name: `${database}: sequences`, bytes: 0 };
}
