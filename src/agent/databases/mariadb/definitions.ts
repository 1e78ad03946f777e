import { z } from 'zod';
import type { Look, Seen } from '../../../region/model.js';
import { hashOf } from '../hash.js';
import { type Holding, lookAt } from '../look.js';
import { followerPrefix, reader, superuser, system, tableKinds } from './names.js';
import { historyEnd } from './replication.js';
import { errorNumber, quoteName, type Session } from './session.js';

/** What an app has made beside rows. Each is a part of what is compared. */
export const definitionKinds = [
  'accounts',
  'databases',
  'events',
  'routines',
  'tables',
  'triggers',
  'views',
] as const;
export type DefinitionKind = (typeof definitionKinds)[number];

/** In seconds. */
const patience = { statement: 10, lock: 2 };

/** Looks at definitions of a kind, in the order of their names. */
export async function lookAtDefinitions(
  session: Session,
  kind: DefinitionKind,
  looks: readonly Look[],
): Promise<Seen> {
  // What they read as must not depend on the server's settings.
  await session.run(`SET SESSION sql_mode = '', max_statement_time = ?, lock_wait_timeout = ?`, [
    patience.statement,
    patience.lock,
  ]);
  const ranges = await lookAt(holdingOf(session, kind), looks);
  return { ranges, position: await historyEnd(session) };
}

/** The name that people know, and all that there is to compare or to ask with. */
const definition = z.looseObject({ name: z.string() });
type Definition = z.infer<typeof definition>;

/** `ER_PASSWORD_NO_MATCH`, `ER_NONEXISTING_GRANT`, `ER_NO_SUCH_TABLE`: gone since it was listed. */
const gone = [1133, 1141, 1146];

function holdingOf(session: Session, kind: DefinitionKind): Holding {
  const { sql, values, ask = told } = listed[kind];
  /** Of some kinds, two may share a name: a function and a procedure. */
  const found = new Map<string, Definition[]>();
  return {
    areFew: true,
    async *names() {
      for (const one of await session.rows(definition, sql, values)) {
        const name = Buffer.from(one.name).toString('latin1');
        found.set(name, [...(found.get(name) ?? []), one]);
      }
      yield [...found.keys()];
    },
    async read(name) {
      try {
        const texts: string[] = [];
        for (const one of found.get(name) ?? []) texts.push(...(await ask(session, one)));
        const bytes = texts.reduce((sum, text) => sum + text.length, 0);
        return { bytes, hash: hashOf(texts.sort()) };
      } catch (error) {
        if (gone.includes(errorNumber(error) ?? 0)) return null;
        throw error;
      }
    },
  };
}

/** How definitions are listed, and what else is to be asked about each. */
interface Listed {
  readonly sql: string;
  readonly values: readonly unknown[];
  ask?(session: Session, one: Definition): Promise<string[]>;
}

/** Times at which each server made, changed or last ran something are its own, and in none of these. */
const listed: Readonly<Record<DefinitionKind, Listed>> = {
  accounts: {
    // Each server has a superuser, a reader and followers of its own.
    sql: `SELECT CONCAT(user, IF(host = '', '', '@'), host) AS name, user, host
            FROM mysql.global_priv WHERE user NOT IN (?) AND LEFT(user, ?) <> ?`,
    values: [[superuser, reader], followerPrefix.length, followerPrefix],
    ask: grantsOf,
  },
  databases: {
    sql: `SELECT schema_name AS name, default_collation_name, schema_comment
            FROM information_schema.schemata WHERE schema_name NOT IN (?)`,
    values: [system],
  },
  events: {
    // Whether an event is on is known in the primary only, until its fence tells.
    sql: `SELECT CONCAT(db, '.', name) AS name, body, definer, execute_at, interval_value, interval_field,
                 starts, ends, on_completion, sql_mode, comment, CAST(time_zone AS CHAR) AS time_zone,
                 character_set_client, collation_connection, db_collation
            FROM mysql.event WHERE db NOT IN (?)`,
    values: [system],
  },
  routines: {
    sql: `SELECT CONCAT(db, '.', name) AS name, type, sql_data_access, is_deterministic, security_type,
                 param_list, returns, body, definer, sql_mode, comment, character_set_client,
                 collation_connection, db_collation, aggregate
            FROM mysql.proc WHERE db NOT IN (?)`,
    values: [system],
  },
  tables: {
    sql: `SELECT CONCAT(table_schema, '.', table_name) AS name, table_schema AS \`schema\`, table_name AS \`table\`
            FROM information_schema.tables WHERE table_type IN (?) AND table_schema NOT IN (?)`,
    values: [tableKinds, system],
    ask: tableOf,
  },
  triggers: {
    sql: `SELECT CONCAT(trigger_schema, '.', trigger_name) AS name, event_manipulation, event_object_table,
                 action_order, action_timing, action_statement, definer, sql_mode, character_set_client,
                 collation_connection, database_collation
            FROM information_schema.triggers WHERE trigger_schema NOT IN (?)`,
    values: [system],
  },
  views: {
    sql: `SELECT CONCAT(table_schema, '.', table_name) AS name, view_definition, check_option, algorithm,
                 definer, security_type, character_set_client, collation_connection
            FROM information_schema.views WHERE table_schema NOT IN (?)`,
    values: [system],
  },
};

async function told(_: Session, one: Definition): Promise<string[]> {
  return [JSON.stringify(one)];
}

const account = z.object({ user: z.string(), host: z.string() });
const line = z.record(z.string(), z.string()).transform((row) => Object.values(row).join());

/** Of an account, or a role, which has no host. */
async function grantsOf(session: Session, one: Definition): Promise<string[]> {
  const { user, host } = account.parse(one);
  const who = host === '' ? quoteName(user) : `${quoteName(user)}@${quoteName(host)}`;
  const grants = await session.rows(line, `SHOW GRANTS FOR ${who}`);
  return host === ''
    ? grants
    : [...grants, ...(await session.rows(line, `SHOW CREATE USER ${who}`))];
}

const table = z.object({ schema: z.string(), table: z.string() });
const created = z.object({ 'Create Table': z.string() });

/** Of a table or a sequence. The next number that a table gives to a row is not the same everywhere. */
async function tableOf(session: Session, one: Definition): Promise<string[]> {
  const { schema, table: name } = table.parse(one);
  const sql = `SHOW CREATE TABLE ${quoteName(schema)}.${quoteName(name)}`;
  const found = await session.row(created, sql);
  return [found['Create Table'].replace(/ AUTO_INCREMENT=\d+/, '')];
}
