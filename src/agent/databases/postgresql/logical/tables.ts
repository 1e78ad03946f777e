import { pipeline } from 'node:stream/promises';
import type pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { messageOf } from '../../../../shared/errors.js';
import { atPace, Pace } from '../../../../shared/pace.js';
import { streamedTables } from './followable.js';
import { schema, withoutLimits } from './names.js';

/** A table to copy. */
export interface Table {
  /** With its schema, quoted. */
  readonly name: string;
  /** Bytes on disk. */
  readonly size: number;
  /** The columns that are stored rather than generated, quoted. */
  readonly columns: readonly string[];
  /** Whether an extension made it, with rows of its own. */
  readonly extended: boolean;
  /** That of its database, which its rows travel in: texts of `SQL_ASCII` can be in no other. */
  readonly encoding: string;
}

const describe = (tables: string) => `
  SELECT t.name, pg_table_size(t.oid)::float8 AS size,
         ARRAY(SELECT quote_ident(attname) FROM pg_attribute
                WHERE attrelid = t.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
                ORDER BY attnum) AS columns,
         EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = t.oid
                  AND refclassid = 'pg_extension'::regclass AND deptype = 'e') AS extended,
         current_setting('server_encoding') AS encoding
    FROM (${tables}) t ORDER BY size DESC`;

/** Tables that are streamed once they are copied, largest first; what is to be put back is one of them. */
export async function tablesToCopy(primary: pg.Client): Promise<Table[]> {
  const { rows } = await primary.query<Table>(
    describe(`${streamedTables} UNION ALL
      SELECT '${schema}.replica_identity'::regclass, '${schema}.replica_identity'`),
  );
  return rows;
}

/** Tables that are not written to the log, and so never streamed. */
export async function unloggedTables(primary: pg.Client): Promise<Table[]> {
  const { rows } = await primary.query<Table>(
    describe(`SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE c.relkind = 'r' AND c.relpersistence = 'u'`),
  );
  return rows;
}

/** Values are the same text at both ends, whatever is set for database or role. */
export async function speakPlainly(client: pg.Client): Promise<void> {
  await withoutLimits(client);
  await client.query(`SET client_encoding = 'UTF8'; SET array_nulls = on; SET datestyle = 'ISO'; SET intervalstyle = 'postgres';
    SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
    SET search_path = pg_catalog, pg_temp; SET row_security = off`);
}

/**
 * Makes the rows of a table those of the primary's, in one transaction of the follower.
 * @param state of the table: `new` ones have no indexes yet, and nothing that refers to them
 */
export async function copyTable(
  primary: pg.Client,
  follower: pg.Client,
  { name, columns, extended, encoding }: Table,
  state: 'new' | 'filled',
  { pace = new Pace(), signal }: { pace?: Pace; signal?: AbortSignal } = {},
): Promise<void> {
  const list = columns.length > 0 ? `(${columns.join(', ')})` : '';
  // Rows of a table that is emptied in the same transaction can be written as ones that nobody need look at again.
  const freeze = state === 'new' && !extended;
  await follower.query(`BEGIN; ${freeze ? `TRUNCATE ONLY ${name}` : `DELETE FROM ONLY ${name}`}`);
  await pipeline(
    primary.query(copyTo(`COPY ${name} ${list} TO STDOUT (ENCODING '${encoding}')`)),
    atPace(pace),
    follower.query(
      copyFrom(`COPY ${name} ${list} FROM STDIN (ENCODING '${encoding}', FREEZE ${freeze})`),
    ),
    { ...(signal && { signal }) },
  ).catch((error) => {
    throw new Error(`The rows of ${name} cannot be copied: ${messageOf(error)}`, { cause: error });
  });
  await follower.query('COMMIT');
}
