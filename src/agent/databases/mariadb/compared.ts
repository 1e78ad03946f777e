import { z } from 'zod';
import type { Contents, Part } from '../../../region/model.js';
import { type DefinitionKind, definitionKinds } from './definitions.js';
import { reader, system, tableKinds } from './names.js';
import { quoteName, type Session } from './session.js';

/**
 * A column that rows are ordered by, and how its values are told: as numbers or words that a text is
 * read back as, or as bytes in a set of characters.
 */
const keyColumn = z.union([
  z.object({
    column: z.string(),
    type: z.string().regex(/^(SIGNED|UNSIGNED|DOUBLE|CHAR|DECIMAL\(\d+,\d+\))$/),
  }),
  z.object({ column: z.string(), characters: z.string().regex(/^[a-z0-9_]+$/) }),
]);
export type KeyColumn = z.infer<typeof keyColumn>;

/** Rows that are compared by themselves. */
const comparedRows = z.object({
  schema: z.string(),
  table: z.string(),
  /** Null when it has none, and is looked at whole. */
  key: z.object({ index: z.string(), columns: z.array(keyColumn) }).nullable(),
  /** Whether rows that were are kept beside those that are. */
  versioned: z.boolean(),
});
export type ComparedRows = z.infer<typeof comparedRows>;

/** What is compared by itself. As JSON, it is the id of the part. */
const compared = z.union([comparedRows, z.object({ definitions: z.enum(definitionKinds) })]);
type Compared = z.infer<typeof compared>;

/** @throws when it is no id of a part of a MariaDB database */
export function readPartId(id: string): Compared {
  return compared.parse(JSON.parse(id));
}

/** Tables of these engines are a way to look at others. */
const waysToOthers = ['MRG_MyISAM'];

/** A table without a key is looked at whole, which must not take long. In bytes. */
const mostWithoutKey = 500_000_000;

/** The app's tables and sequences, and what else it has defined. Reads no rows. */
export async function contentsOf(session: Session): Promise<Contents> {
  await session.run('SET SESSION max_statement_time = 10, lock_wait_timeout = 10');
  const found = await session.rows(
    table,
    `SELECT table_schema AS \`schema\`, table_name AS \`table\`, table_type AS kind, engine,
            IFNULL(data_length, 0) + IFNULL(index_length, 0) AS bytes
       FROM information_schema.tables WHERE table_type IN (?) AND table_schema NOT IN (?)`,
    [tableKinds, system],
  );
  const tables = found.filter(({ engine }) => !waysToOthers.includes(engine ?? ''));
  const keys = await keysOf(session);
  const all: Contents = { parts: definitionKinds.map(definitionsOf), leftOut: [] };
  for (const { schema, table, kind, bytes } of tables) {
    const name = `${schema}.${table}`;
    const key = keys.get(JSON.stringify([schema, table])) ?? null;
    if (key === null && bytes > mostWithoutKey) {
      all.leftOut.push(`${name} is large and has no key to divide it by. Give it a primary key.`);
      continue;
    }
    const what: ComparedRows = { schema, table, key, versioned: kind === 'SYSTEM VERSIONED' };
    all.parts.push({ id: JSON.stringify(what), name, bytes } satisfies Part);
  }
  return all;
}

function definitionsOf(definitions: DefinitionKind): Part {
  const what: Compared = { definitions };
  return { id: JSON.stringify(what), name: `definitions of ${definitions}`, bytes: 0 };
}

/** Lets the reader look at what the app has. Each server has a reader of its own, like its superuser. */
export async function admitReader(session: Session, password: string): Promise<void> {
  const schemas = await session.rows(
    z.object({ name: z.string() }),
    'SELECT schema_name AS name FROM information_schema.schemata WHERE schema_name NOT IN (?)',
    [system],
  );
  for (const { name } of schemas) {
    const pattern = quoteName(name.replaceAll(/[\\_%]/g, '\\$&'));
    const sql = `GRANT SELECT ON ${pattern}.* TO ${reader}@localhost IDENTIFIED BY ?`;
    await session.run(sql, [password]);
  }
}

const table = z.object({
  schema: z.string(),
  table: z.string(),
  kind: z.string(),
  engine: z.string().nullable(),
  bytes: z.coerce.number(),
});

const indexed = z.object({
  schema: z.string(),
  table: z.string(),
  index: z.string(),
  column: z.string(),
  isSound: z.coerce.boolean(),
});

const column = z.object({
  schema: z.string(),
  table: z.string(),
  column: z.string(),
  type: z.string(),
  isUnsigned: z.coerce.boolean(),
  precision: z.coerce.number().nullable(),
  scale: z.coerce.number().nullable(),
  characters: z.string().nullable(),
});

/** The primary key of each table, or a unique index that tells all rows apart, by the table as JSON. */
async function keysOf(session: Session): Promise<Map<string, NonNullable<ComparedRows['key']>>> {
  const columns = await session.rows(
    column,
    `SELECT table_schema AS \`schema\`, table_name AS \`table\`, column_name AS \`column\`,
            data_type AS type, column_type LIKE '%unsigned%' AS isUnsigned,
            numeric_precision AS \`precision\`, numeric_scale AS scale,
            character_set_name AS characters
       FROM information_schema.columns WHERE column_key <> '' AND table_schema NOT IN (?)`,
    [system],
  );
  const parts = await session.rows(
    indexed,
    `SELECT table_schema AS \`schema\`, table_name AS \`table\`, index_name AS \`index\`,
            column_name AS \`column\`,
            sub_part IS NULL AND nullable = '' AND index_type = 'BTREE' AND ignored = 'NO' AS isSound
       FROM information_schema.statistics WHERE non_unique = 0 AND table_schema NOT IN (?)
      ORDER BY index_name <> 'PRIMARY', index_name, seq_in_index`,
    [system],
  );
  const types = new Map(columns.map((one) => [placeOf(one, one.column), keyColumnOf(one)]));
  const indexes = new Map<string, z.infer<typeof indexed>[]>();
  for (const one of parts) {
    const place = placeOf(one, one.index);
    indexes.set(place, [...(indexes.get(place) ?? []), one]);
  }
  const keys = new Map<string, NonNullable<ComparedRows['key']>>();
  for (const own of indexes.values()) {
    const [first] = own;
    const of = first && placeOf(first);
    if (!of || keys.has(of) || own.some(({ isSound }) => !isSound)) continue;
    const columns = own.flatMap((one) => types.get(placeOf(one, one.column)) ?? []);
    if (columns.length === own.length) keys.set(of, { index: first.index, columns });
  }
  return keys;
}

const placeOf = ({ schema, table }: { schema: string; table: string }, ...names: string[]) =>
  JSON.stringify([schema, table, ...names]);

const integers = ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'];
/** These are ordered by their numbers, whatever they are shown as. */
const numbered = ['enum', 'set', 'bit', 'year'];

function keyColumnOf(found: z.infer<typeof column>): KeyColumn {
  const { column, type, isUnsigned, precision, scale, characters } = found;
  if (numbered.includes(type)) return { column, type: 'UNSIGNED' };
  if (integers.includes(type)) return { column, type: isUnsigned ? 'UNSIGNED' : 'SIGNED' };
  if (type === 'decimal') return { column, type: `DECIMAL(${precision ?? 65},${scale ?? 0})` };
  if (['float', 'double'].includes(type)) return { column, type: 'DOUBLE' };
  if (type.includes('binary') || type.includes('blob')) return { column, characters: 'binary' };
  return characters === null ? { column, type: 'CHAR' } : { column, characters };
}
