import { z } from 'zod';
import type { Bound, KeyRange, Look, Seen, SeenRange } from '../../../region/model.js';
import { bytesOf, type Legible, legible, legibly } from '../legible.js';
import type { ComparedRows, KeyColumn } from './compared.js';
import { tableKinds } from './names.js';
import { historyEnd } from './replication.js';
import { errorNumber, quoteName, type Session } from './session.js';

/** How long a look may take, in seconds. What has no key cannot be looked at in pieces. */
const patience = { inPieces: 10, whole: 20 };
/** How long a look waits for a table that is being changed, in seconds. */
const lockPatience = 2;

/**
 * Looks at rows of what is compared.
 * @param session of the reader; nobody else uses it
 * @returns null when there is no such table
 * @throws when one look takes longer than it may
 */
export async function lookAtRows(
  session: Session,
  what: ComparedRows,
  looks: readonly Look[],
): Promise<Seen | null> {
  await settle(session, what.key ? patience.inPieces : patience.whole);
  const columns = await columnsOf(session, what);
  if (columns.length === 0) return null;
  const ranges: SeenRange[] = [];
  for (const { after, to, most } of looks) {
    const within = { after, to: await boundary(session, what, { after, to }, most) };
    ranges.push({ to: within.to, ...(await digestOf(session, what, columns, within)) });
  }
  return { ranges, position: await historyEnd(session) };
}

/** What values read as must not depend on the server's settings. */
async function settle(session: Session, seconds: number): Promise<void> {
  await session.run(
    `SET SESSION sql_mode = '', time_zone = '+00:00', tx_read_only = 1,
       max_statement_time = ?, lock_wait_timeout = ?, innodb_lock_wait_timeout = ?`,
    [seconds, lockPatience, lockPatience],
  );
}

const column = z.object({ name: z.string(), type: z.string(), longest: z.number().nullable() });
type Column = z.infer<typeof column>;

/**
 * The columns that are kept, by their names. Those that are computed when they are read may come out
 * as the reader's name or the time; when a row was there, each server may say in its own numbers.
 */
function columnsOf(session: Session, { schema, table }: ComparedRows): Promise<Column[]> {
  return session.rows(
    column,
    `SELECT column_name AS name, data_type AS type, character_octet_length AS longest
       FROM information_schema.columns
       JOIN information_schema.tables USING (table_schema, table_name)
      WHERE table_schema = ? AND table_name = ? AND table_type IN (?)
        AND extra NOT LIKE '%VIRTUAL GENERATED%'
        AND IFNULL(generation_expression, '') NOT IN ('ROW START', 'ROW END')
      ORDER BY column_name`,
    [schema, table, tableKinds],
  );
}

/** The key of the row that is number `most` of the range; the end of the range when it has fewer, or no key. */
async function boundary(
  session: Session,
  what: ComparedRows,
  range: KeyRange,
  most: number | null,
): Promise<Bound | null> {
  if (most === null || what.key === null) return range.to;
  const { columns } = what.key;
  const { sql, values } = within(columns, range);
  const read = columns.map((one, at) => `${readingOf(one)} AS \`${at}\``);
  const names = columns.map((one) => quoteName(one.column));
  const [row] = await session.rows(
    z.record(z.string(), z.union([z.string(), z.instanceof(Buffer)])),
    `SELECT ${read} FROM ${sourceOf(what)} WHERE ${sql} ORDER BY ${names} LIMIT 1 OFFSET ?`,
    [...values, most - 1],
  );
  return row ? writeBound(columns.map((_, at) => row[at] ?? '')) : range.to;
}

const digested = z.object({ rows: z.number(), bytes: z.coerce.number(), sum: z.string() });

/** Of damaged data: `ER_NOT_KEYFILE`, `ER_CRASHED_ON_USAGE`, `ER_CRASHED_ON_REPAIR`, `ER_INDEX_CORRUPT`, `ER_TABLE_CORRUPT`. */
const damaged = [1034, 1194, 1195, 1712, 1877];

/** The sum of what the rows hash to, which does not depend on the order in which they are read. */
async function digestOf(
  session: Session,
  what: ComparedRows,
  columns: readonly Column[],
  range: KeyRange,
): Promise<Omit<SeenRange, 'to'>> {
  const { sql, values } = within(what.key?.columns ?? [], range);
  const row = `MD5(CONCAT('', ${columns.map(textOf)}))`;
  const found = await session
    .row(
      digested,
      `SELECT COUNT(*) AS \`rows\`, IFNULL(SUM(${total(columns.map(sizeOf))}), 0) AS bytes,
            CAST(IFNULL(SUM(CAST(CONV(LEFT(${row}, 15), 16, 10) AS UNSIGNED)), 0) AS CHAR) AS sum
       FROM ${sourceOf(what)} WHERE ${sql}`,
      values,
    )
    .catch((error) => {
      // What the disk gives back other than it was written differs from the other side, like anything else.
      if (damaged.includes(errorNumber(error) ?? 0))
        return { rows: 0, bytes: 0, sum: 'unreadable' };
      throw error;
    });
  return { rows: found.rows, bytes: found.bytes, digest: found.sum };
}

function sourceOf({ schema, table, key, versioned }: ComparedRows): string {
  const all = versioned ? ' FOR SYSTEM_TIME ALL' : '';
  const along = key ? ` FORCE INDEX (${quoteName(key.index)})` : '';
  return `${quoteName(schema)}.${quoteName(table)}${all}${along}`;
}

const geometries = /^(geometry(collection)?|(multi)?(point|linestring|polygon))$/;

/** Values that can be larger than what a statement may put together. */
const isLong = ({ type, longest }: Column) => geometries.test(type) || (longest ?? 0) >= 65_535;

/** A value so that no other reads the same, whatever follows it. */
function textOf(column: Column): string {
  const name = quoteName(column.name);
  if (isLong(column)) return `IFNULL(MD5(${name}), '-')`;
  // A float is shown with fewer digits than it has.
  const value = `CAST(${column.type === 'float' ? `CAST(${name} AS DOUBLE)` : name} AS BINARY)`;
  return `IFNULL(CONCAT(OCTET_LENGTH(${value}), ':', ${value}), '-')`;
}

/** About. */
function sizeOf(column: Column): string {
  const hasLength = isLong(column) || column.longest !== null;
  return hasLength ? `IFNULL(OCTET_LENGTH(${quoteName(column.name)}), 0)` : '8';
}

/** The sum of terms, halved again and again: a server has little room for terms within terms, and tables can have thousands. */
function total(terms: readonly string[]): string {
  const half = Math.ceil(terms.length / 2);
  if (terms.length <= 1) return terms[0] ?? '0';
  return `(${total(terms.slice(0, half))} + ${total(terms.slice(half))})`;
}

/** The condition for a row to be in the range, in the order of the key itself. */
function within(key: readonly KeyColumn[], { after, to }: KeyRange): Condition {
  const conditions = [
    ...(after === null ? [] : [beyond(key, readBound(after), { strictly: '>', last: '>' })]),
    ...(to === null ? [] : [beyond(key, readBound(to), { strictly: '<', last: '<=' })]),
  ];
  return {
    sql: ['TRUE', ...conditions.map(({ sql }) => `(${sql})`)].join(' AND '),
    values: conditions.flatMap(({ values }) => values),
  };
}

interface Condition {
  readonly sql: string;
  readonly values: readonly (Legible | Buffer)[];
}

/** Column by column: of rows that are compared as such, MariaDB does not know where in an index they begin. */
function beyond(
  [first, ...rest]: readonly KeyColumn[],
  [told = '', ...others]: readonly Legible[],
  comparison: { readonly strictly: '<' | '>'; readonly last: '>' | '<=' },
): Condition {
  if (!first) return { sql: 'TRUE', values: [] };
  const [name, given] = [quoteName(first.column), writingOf(first)];
  const value = 'characters' in first ? bytesOf(told) : told;
  if (rest.length === 0) return { sql: `${name} ${comparison.last} ${given}`, values: [value] };
  const further = beyond(rest, others, comparison);
  return {
    sql: `${name} ${comparison.strictly} ${given} OR (${name} = ${given} AND (${further.sql}))`,
    values: [value, value, ...further.values],
  };
}

/** As what a value of a key is asked for. */
function readingOf(key: KeyColumn): string {
  const name = quoteName(key.column);
  if ('characters' in key) return `CAST(${name} AS BINARY)`;
  return key.type === 'CHAR'
    ? `CAST(${name} AS CHAR)`
    : `CAST(CAST(${name} AS ${key.type}) AS CHAR)`;
}

/** As what it is given back. */
function writingOf(key: KeyColumn): string {
  if ('characters' in key) return `_${key.characters} ?`;
  return key.type === 'CHAR' ? '?' : `CAST(? AS ${key.type})`;
}

const bound = z.array(legible);

function readBound(given: Bound): Legible[] {
  return bound.parse(JSON.parse(given));
}

function writeBound(key: readonly (string | Buffer)[]): Bound {
  return JSON.stringify(key.map((value) => (typeof value === 'string' ? value : legibly(value))));
}
