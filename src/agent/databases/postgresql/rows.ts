import pg from 'pg';
import { z } from 'zod';
import { formatLsn, parseLsn } from '../../../postgresql/lsn.js';
import type { Bound, KeyRange, Look, Seen, SeenRange } from '../../../region/model.js';
import { type Compared, isByRows, isUndivided, type Key } from './compared.js';

/** How long a look may take, in milliseconds: no snapshot is held for longer. */
const patience = 10_000;

/** How many pages are looked at once where rows are taken as they lie: 10 MB. */
const mostPages = 1_280;

/**
 * What values read as must not depend on the server, its version, or what the app has set; and a
 * look takes one process at most, in the order of the key, whatever the planner knows of a table.
 */
const settings = `
  SET search_path = pg_catalog;
  SET default_transaction_read_only = on;
  SET synchronous_commit = local;
  SET statement_timeout = ${patience};
  SET lock_timeout = ${patience / 5};
  SET DateStyle = 'ISO, YMD';
  SET IntervalStyle = 'postgres';
  SET TimeZone = 'UTC';
  SET bytea_output = 'hex';
  SET extra_float_digits = 1;
  SET lc_monetary = 'C';
  SET enable_seqscan = off;
  SET jit = off;
  SET max_parallel_workers_per_gather = 0;`;

/** What is gone through whole is of a bounded size, and takes longer. */
const undivided = `SET enable_seqscan = on; SET statement_timeout = ${3 * patience}`;

/**
 * Looks at rows of what is compared.
 * @param client whose session is in the database of that; nobody else uses it
 * @throws when one look takes longer than a few seconds, with the code `57014`
 */
export async function lookAtRows(
  client: pg.Client,
  what: Compared,
  looks: readonly Look[],
): Promise<Seen> {
  await client.query(settings);
  if (isUndivided(what)) await client.query(undivided);
  const ranges: SeenRange[] = [];
  for (const look of looks) ranges.push(await seenOf(client, what, look));
  return { ranges, position: await endOf(client) };
}

async function seenOf(client: pg.Client, what: Compared, look: Look): Promise<SeenRange> {
  const { after, most } = look;
  const to =
    most === null ? look.to : await orIfDamaged(boundary(client, what, look, most), look.to);
  const unreadable = { rows: 0, bytes: 0, digest: 'unreadable' };
  return { to, ...(await orIfDamaged(digestOf(client, what, { after, to }), unreadable)) };
}

/** SQLSTATEs of data that are damaged: of a table, or of an index. */
const damaged = ['XX001', 'XX002'];

/** What the disk gives back other than it was written differs from the other side, like anything else. */
async function orIfDamaged<T>(look: Promise<T>, otherwise: T): Promise<T> {
  return look.catch((error) => {
    if (error instanceof pg.DatabaseError && damaged.includes(error.code ?? '')) return otherwise;
    throw error;
  });
}

/** The key of the row that is number `most` of the range; the end of the range when it has fewer. */
async function boundary(
  client: pg.Client,
  what: Compared,
  range: KeyRange,
  most: number,
): Promise<Bound | null> {
  if (what.kind === 'table' && what.key.length === 0) return range.to;
  if (what.kind === 'table' && what.key[0]?.column === 'ctid') {
    return boundaryByPlace(client, what, range, most);
  }
  return (await nth(client, namesOf(client, what), range, most)) ?? range.to;
}

/** As {@link boundary}, within a few pages: what lies there would have to be sorted first. */
async function boundaryByPlace(
  client: pg.Client,
  what: Extract<Compared, { kind: 'table' }>,
  { after, to }: KeyRange,
  most: number,
): Promise<Bound | null> {
  const { rows } = await client.query<{ pages: string }>(
    `SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int AS pages`,
    [nameOf(client, what)],
  );
  const begin = after === null ? 0 : pageOf(after);
  const last = begin + Math.min(most, mostPages);
  const isLast = last >= (to === null ? Number(rows[0]?.pages ?? 0) : pageOf(to));
  const end = isLast ? to : writeBound([`(${last},65535)`]);
  return (await nth(client, namesOf(client, what), { after, to: end }, most)) ?? end;
}

/** The page of a place such as `(12,3)`. */
function pageOf(bound: Bound): number {
  return Number(/^\((\d+),/.exec(readBound(bound)[0] ?? '')?.[1]);
}

/** What rows are taken from, and what they are ordered by. */
interface Source {
  readonly from: string;
  readonly key: Key;
}

/** The rows as far as their order goes. */
function namesOf(client: pg.Client, what: Compared): Source {
  if (what.kind === 'table') return { from: `ONLY ${nameOf(client, what)} t`, key: what.key };
  return { from: `(${sequenceNames}) t`, key: sequenceKey };
}

const sequenceKey: Key = ['schema', 'name'].map((column) => ({ column, type: 'text' }));

const sequenceNames = `
  SELECT n.nspname::text COLLATE "C" AS schema, c.relname::text COLLATE "C" AS name,
         s.seqincrement AS increment
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relpersistence = 'p'`;

/**
 * Sequences as rows. The log has them ahead of what was given out, and that is what a follower
 * has; a primary knows how far (`log_cnt`).
 */
async function sequencesWithin(client: pg.Client, range: KeyRange): Promise<Source> {
  const { sql, values } = within(client, sequenceKey, range);
  const { rows } = await client.query<{ from: string | null }>(
    `SELECT string_agg(format(
       'SELECT %L::text COLLATE "C" AS schema, %L::text COLLATE "C" AS name,
               last_value + log_cnt::numeric * %s AS logged, is_called FROM %I.%I',
       schema, name, increment, schema, name), ' UNION ALL ') AS from
       FROM (${sequenceNames}) t WHERE ${sql}`,
    values,
  );
  const none = 'SELECT NULL::text AS schema, NULL::text AS name WHERE false';
  return { from: `(${rows[0]?.from ?? none}) t`, key: sequenceKey };
}

async function nth(
  client: pg.Client,
  { from, key }: Source,
  range: KeyRange,
  most: number,
): Promise<Bound | null> {
  const { sql, values } = within(client, key, range);
  const columns = key.map((one) => placeIn(client, one));
  const { rows } = await client.query<{ bound: string[] }>(
    `SELECT ARRAY[${columns.map((column) => `(${column})::text`).join(', ')}] AS bound
       FROM ${from} WHERE ${sql} ORDER BY ${columns.join(', ')} OFFSET $${values.length + 1} LIMIT 1`,
    [...values, most - 1],
  );
  return rows[0] ? writeBound(rows[0].bound) : null;
}

/** Of the text of a row. The faster one may be another in another version. */
const hashes = {
  ofOneVersion: 'hashtextextended(text COLLATE "C", 0)',
  ofAnyVersion: `('x' || left(md5(text), 16))::bit(64)::bigint`,
};

/** A row as a text. A table that was made anew may have its columns in another order: that of their names is the same. */
async function textOf(client: pg.Client, what: Compared): Promise<string> {
  if (what.kind !== 'table' || !isByRows(what)) return 'ROW(t.*)::text';
  const { rows } = await client.query<{ column: string }>(
    `SELECT attname AS column FROM pg_attribute
      WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attname COLLATE "C"`,
    [nameOf(client, what)],
  );
  const columns = rows.map(({ column }) => `t.${client.escapeIdentifier(column)}`);
  return `ROW(${columns.join(', ')})::text`;
}

/** The sum of what the rows hash to, which does not depend on the order in which they are read. */
async function digestOf(
  client: pg.Client,
  what: Compared,
  range: KeyRange,
): Promise<Omit<SeenRange, 'to'>> {
  const { from, key } =
    what.kind === 'table' ? namesOf(client, what) : await sequencesWithin(client, range);
  const { sql, values } = within(client, key, range);
  const { rows } = await client.query<{ rows: string; bytes: string; sum: string }>(
    // OFFSET keeps the text of a row from being made once for each use of it.
    `SELECT count(*) AS rows, coalesce(sum(octet_length(text)), 0) AS bytes,
            coalesce(sum(${isByRows(what) ? hashes.ofAnyVersion : hashes.ofOneVersion}::numeric), 0) AS sum
       FROM (SELECT ${await textOf(client, what)} AS text FROM ${from} WHERE ${sql} OFFSET 0) chunk`,
    values,
  );
  const [found] = rows;
  if (!found) throw new Error('PostgreSQL did not answer what the rows come to.');
  return {
    rows: Number(found.rows),
    bytes: Number(found.bytes),
    digest: `${found.bytes}-${found.sum}`,
  };
}

/** What a row is ordered by: a text that servers may sort differently, by its bytes. */
function placeIn(client: pg.Client, { column, sorted }: Key[number]): string {
  return `t.${client.escapeIdentifier(column)}${sorted ? ' COLLATE "C"' : ''}`;
}

/** The condition for a row to be in the range, in the order of the key itself. */
function within(
  client: pg.Client,
  key: Key,
  { after, to }: KeyRange,
): { readonly sql: string; readonly values: string[] } {
  const values: string[] = [];
  const columns = key.map((one) => placeIn(client, one)).join(', ');
  const beyond = (comparison: '>' | '<=', bound: Bound | null) => {
    if (bound === null) return [];
    const read = readBound(bound);
    const casts = key.map(({ type }, at) => {
      values.push(read[at] ?? '');
      return `CAST($${values.length}::text AS ${type})`;
    });
    return [`ROW(${columns}) ${comparison} ROW(${casts.join(', ')})`];
  };
  const sql = ['true', ...beyond('>', after), ...beyond('<=', to)].join(' AND ');
  return { sql, values };
}

function nameOf(
  client: pg.Client,
  { schema, table }: Extract<Compared, { kind: 'table' }>,
): string {
  return `${client.escapeIdentifier(schema)}.${client.escapeIdentifier(table)}`;
}

const values = z.array(z.string());

function readBound(bound: Bound): string[] {
  return values.parse(JSON.parse(bound));
}

function writeBound(key: readonly string[]): Bound {
  return JSON.stringify(key);
}

/**
 * Where the history ends that all that was seen belongs to. What was committed without waiting for
 * the disk (`synchronous_commit`) can be seen before a follower is sent it; a message in the log
 * that is waited for takes it there.
 */
async function endOf(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ lsn: string | null; flushed: boolean }>(
    `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_insert_lsn() END AS lsn,
            pg_is_in_recovery() OR pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() AS flushed`,
  );
  const end = withoutPageHeader(parseLsn(rows[0]?.lsn ?? '0/0'));
  if (!rows[0]?.flushed) {
    await client.query(`SELECT pg_logical_emit_message(true, 'godwit', '')`);
  }
  return formatLsn(end);
}

const logPage = 8192n;
/** Bytes of the header of a page of the log, and of the first one of a file (`xlog_internal.h`). */
const pageHeaders: readonly bigint[] = [24n, 40n];

/**
 * Where the next record will begin is after the header of a page when the last one ended with the
 * page before. Nobody has replayed that header.
 */
function withoutPageHeader(lsn: bigint): bigint {
  const inPage = lsn % logPage;
  return pageHeaders.includes(inPage) ? lsn - inPage : lsn;
}
