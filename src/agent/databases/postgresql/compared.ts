import type pg from 'pg';
import { z } from 'zod';
import type { Contents, Part } from '../../../region/model.js';

/** A column that rows are ordered by, and the type that its values are read back as. */
const keyColumn = z.object({ column: z.string(), type: z.string() });
export type Key = readonly z.infer<typeof keyColumn>[];

/** What is compared by itself. As JSON, it is the id of the part. */
const compared = z.discriminatedUnion('kind', [
  z.object({
    database: z.string(),
    kind: z.literal('table'),
    schema: z.string(),
    table: z.string(),
    key: z.array(keyColumn),
  }),
  /** All of a database: each is a row. */
  z.object({ database: z.string(), kind: z.literal('sequences') }),
]);
export type Compared = z.infer<typeof compared>;

/** @throws when it is no id of a part of a PostgreSQL database */
export function readPartId(id: string): Compared {
  return compared.parse(JSON.parse(id));
}

/** By where rows lie: a physical follower has each in the same place. For tables that have no key. */
export const place: Key = [{ column: 'ctid', type: 'tid' }];

/**
 * What one database of a cluster holds: tables that are not partitioned themselves, materialised
 * views, large objects, sequences. Reads the catalogue only.
 * @param client whose session is in that database
 */
export async function contentsOf(client: pg.Client, database: string): Promise<Contents> {
  await client.query(`SET search_path = pg_catalog; SET statement_timeout = '10s'`);
  const { rows } = await client.query<TableRow>(tables);
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

interface TableRow {
  readonly schema: string;
  readonly table: string;
  readonly bytes: string;
  readonly unlogged: boolean;
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

/**
 * A key is what tells rows apart and never changes its meaning: a primary key or a unique index of
 * plain columns that are never null. Its types are built in ones, enumerations, and domains of
 * these: for others, what orders them may be found by a name that leads elsewhere.
 */
const tables = `
  SELECT n.nspname AS schema, c.relname AS table, ${sizeOf('c')} + coalesce(${sizeOf('toast')}, 0) AS bytes,
         c.relpersistence = 'u' AS unlogged,
         (SELECT k.key
            FROM pg_index i
           CROSS JOIN LATERAL (
             SELECT jsonb_agg(jsonb_build_object('column', a.attname, 'type',
                                                 format_type(b.oid, -1)) ORDER BY at) AS key,
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
           ORDER BY i.indisprimary DESC, i.indexrelid
           LIMIT 1) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_class toast ON toast.oid = c.reltoastrelid
   WHERE (c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
          AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast'))
      OR (c.oid IN ('pg_largeobject'::regclass, 'pg_largeobject_metadata'::regclass)
          AND pg_relation_size(c.oid) > 0)`;

function tableOf(database: string, { schema, table, bytes, key }: TableRow): Part {
  const found: Compared = { database, kind: 'table', schema, table, key: key ?? [...place] };
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
