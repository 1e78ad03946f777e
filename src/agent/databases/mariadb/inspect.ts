import { readdir } from 'node:fs/promises';
import { basename, parse } from 'node:path';
import { z } from 'zod';
import { superuser, system } from './names.js';
import { quoteName, type Session } from './session.js';

interface Found {
  readonly version: string;
  readonly obstacles: string[];
  readonly unsuitable: string[];
  readonly remarks: string[];
}

/** Engines whose tables `mariadb-backup` copies as files. */
const copied = ['InnoDB', 'Aria', 'MyISAM', 'MRG_MyISAM', 'CSV', 'ARCHIVE'];
/** Who has one of these can write to a database that refuses writes, or past its history. */
const mighty = ['SUPER', 'READ_ONLY ADMIN', 'READ ONLY ADMIN', 'BINLOG ADMIN', 'CONNECTION ADMIN'];

const settings = z.object({
  version: z.string(),
  log_bin: z.number(),
  binlog_format: z.string(),
  have_ssl: z.string(),
});
const table = z.object({ name: z.string(), engine: z.string().nullable() });
const named = z.object({ name: z.string() });

/**
 * What following cannot carry, or the owner should know of. Looks; changes nothing.
 * @param data the server's data folder
 */
export async function inspectServer(session: Session, data: string): Promise<Found> {
  const found = await session.row(
    settings,
    `SELECT VERSION() AS version, @@log_bin AS log_bin, @@GLOBAL.binlog_format AS binlog_format,
            @@have_ssl AS have_ssl`,
  );
  const tables = await session.rows(
    table,
    `SELECT CONCAT(table_schema, '.', table_name) AS name, engine FROM information_schema.tables
      WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema NOT IN (?)
      ORDER BY name`,
    [system],
  );
  const of = (test: (engine: string) => boolean) =>
    tables.flatMap(({ name, engine }) => (engine !== null && test(engine) ? name : []));
  return {
    version: found.version,
    obstacles: [
      ...about(
        of((engine) => !copied.includes(engine)),
        (names) =>
          `Tables of an engine whose data is not in files that can be copied (${names}). Run ALTER TABLE … ENGINE = InnoDB, or drop them.`,
      ),
      ...about(
        await elsewhere(session, data),
        (names) =>
          `Tables with a DATA DIRECTORY (${names}) are outside of the data folder. Make them anew without.`,
      ),
      ...about(
        await administrators(session),
        (names) =>
          `Accounts that may write in spite of a fence (${names}). Revoke ${mighty.slice(0, 2).join(', ')} and their like from them.`,
      ),
      ...about(
        await prepared(session),
        (names) => `Prepared XA transactions (${names}) would be lost. Commit or roll them back.`,
      ),
    ],
    unsuitable: [
      ...(found.log_bin === 1
        ? []
        : ['log_bin is off, so that nothing can follow it. Set it and restart.']),
      ...(found.binlog_format === 'ROW'
        ? []
        : [`binlog_format is ${found.binlog_format}. Set it to ROW, and let sessions begin anew.`]),
      ...(found.have_ssl === 'YES'
        ? []
        : ['TLS is off, and history travels over TLS only. Set ssl_cert and ssl_key and restart.']),
    ],
    remarks: [
      ...about(
        of((engine) => copied.includes(engine) && engine !== 'InnoDB'),
        (names) =>
          `Tables that are not InnoDB (${names}) cannot be written to while they are copied, and a crash can damage them, here as there.`,
      ),
      ...about(
        await withoutKey(session),
        (names) =>
          `Tables without a primary key (${names}) are followed slowly: each change has to be searched for.`,
      ),
      ...about(
        await numberedByTransactions(session),
        (names) =>
          `Tables that keep former rows by numbers of transactions (${names}): each server has numbers of its own, with the times at which it made the changes. Keep them by TIMESTAMP(6) for these to be the same.`,
      ),
    ],
  };
}

/** How many names a message gives. */
const mostNames = 10;

function about(names: readonly string[], say: (names: string) => string): string[] {
  if (names.length === 0) return [];
  const more = names.length - mostNames;
  return [say(names.slice(0, mostNames).join(', ') + (more > 0 ? ` and ${more} more` : ''))];
}

/** InnoDB knows where its tables are; those of other engines are behind symbolic links. */
async function elsewhere(session: Session, data: string): Promise<string[]> {
  const rows = await session.rows(
    named,
    `SELECT REPLACE(name, '/', '.') AS name FROM information_schema.innodb_sys_tablespaces
      WHERE name LIKE '%/%' AND filename NOT LIKE './%'`,
  );
  const entries = await readdir(data, { recursive: true, withFileTypes: true });
  const linked = entries
    .filter((entry) => entry.isSymbolicLink())
    .map(({ parentPath, name }) => `${basename(parentPath)}.${parse(name).name}`);
  return [...new Set([...rows.map(({ name }) => name), ...linked])];
}

/** Accounts, and roles, which lend what they may do. */
async function administrators(session: Session): Promise<string[]> {
  const rows = await session.rows(
    named,
    `SELECT DISTINCT grantee AS name FROM information_schema.user_privileges
      WHERE privilege_type IN (?) AND grantee <> ?`,
    [mighty, `'${superuser}'@'localhost'`],
  );
  const roles = await session.rows(
    named,
    `SELECT user AS name FROM mysql.global_priv WHERE JSON_VALUE(priv, '$.is_role')`,
  );
  const names = rows.map(({ name }) => name);
  for (const { name } of roles) {
    const grants = await session.rows(grant, `SHOW GRANTS FOR ${quoteName(name)}`);
    if (grants.some(isMighty)) names.push(name);
  }
  return names;
}

const grant = z.record(z.string(), z.string()).transform((row) => Object.values(row).join());
const everywhere = /^GRANT (.*) ON \*\.\* TO /;

function isMighty(line: string): boolean {
  const granted = everywhere.exec(line)?.[1]?.split(', ') ?? [];
  return granted.some((one) => [...mighty, 'ALL PRIVILEGES'].includes(one));
}

async function prepared(session: Session): Promise<string[]> {
  const rows = await session.rows(z.object({ data: z.string() }), "XA RECOVER FORMAT = 'SQL'");
  return rows.map(({ data }) => data);
}

async function withoutKey(session: Session): Promise<string[]> {
  const rows = await session.rows(
    named,
    `SELECT CONCAT(t.table_schema, '.', t.table_name) AS name FROM information_schema.tables AS t
       LEFT JOIN information_schema.statistics AS k
         ON k.table_schema = t.table_schema AND k.table_name = t.table_name AND k.index_name = 'PRIMARY'
      WHERE t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.table_schema NOT IN (?)
        AND k.index_name IS NULL
      ORDER BY name`,
    [system],
  );
  return rows.map(({ name }) => name);
}

async function numberedByTransactions(session: Session): Promise<string[]> {
  const rows = await session.rows(
    named,
    `SELECT CONCAT(table_schema, '.', table_name) AS name FROM information_schema.columns
      WHERE generation_expression = 'ROW START' AND data_type = 'bigint' AND table_schema NOT IN (?)
      ORDER BY name`,
    [system],
  );
  return rows.map(({ name }) => name);
}
