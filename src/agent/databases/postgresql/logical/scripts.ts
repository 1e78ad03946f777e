import pg from 'pg';
import type { Binaries } from '../../../../postgresql/binaries.js';
import { superuser } from '../../../../postgresql/cluster.js';
import { Refusal } from '../../../../shared/errors.js';
import { plainWords, type Server } from '../server.js';
import { entriesOf, findInScript } from './entries.js';
import { asOurselves, type Named, schema } from './names.js';

/** The parts that a schema travels in: what rows need to be there, and what needs the rows. */
type Part = 'roles' | 'before' | 'after';

/** Has `pg_dump` write down what is to be made elsewhere, where followers can read it; once. */
export async function keepScripts(
  client: pg.Client,
  server: Server,
  dumper: Binaries,
  { name }: Named,
): Promise<void> {
  await asOurselves(client);
  const known = await client.query(`SELECT FROM ${schema}.script`);
  if (known.rowCount !== 0) return;
  const { cluster, record } = server;
  // In whatever encoding the database is.
  const login = ['-p', String(record.port), '-U', superuser, '--encoding=UTF8'];
  const quoted = name.replaceAll(/['\\]/g, '\\$&');
  const dump = (section: string, ...more: string[]) =>
    cluster.output(dumper, 'pg_dump', [
      ...[...login, '-d', `dbname='${quoted}' options='${plainWords}'`],
      ...[...more, `--section=${section}`],
      ...['--no-tablespaces', '--no-subscriptions'],
    ]);
  const parts: Record<Part, string> = {
    roles: await cluster.output(dumper, 'pg_dumpall', [...login, '-l', 'postgres', '--roles-only']),
    before: await dump('pre-data', '--create'),
    after: await dump('post-data'),
  };
  await client.query(`INSERT INTO ${schema}.script SELECT * FROM unnest($1::text[], $2::text[])`, [
    Object.keys(parts),
    Object.values(parts),
  ]);
}

/** Whether a follower can be made, rather than only be filled. */
export async function hasScripts(primary: pg.Client): Promise<boolean> {
  return (await primary.query(`SELECT FROM ${schema}.script`)).rowCount !== 0;
}

/** @throws when the primary had no programs to write it down with */
export async function readScript(primary: pg.Client, part: Part): Promise<string> {
  const { rows } = await primary.query<{ sql: string }>(
    `SELECT sql FROM ${schema}.script WHERE part = $1`,
    [part],
  );
  if (!rows[0]) {
    throw Refusal.conflict(
      'pg_dump',
      'The host of the primary has no pg_dump for its version, and without it no follower can be made. Install that.',
    );
  }
  return withoutCommands(rows[0].sql);
}

/**
 * Runs what `pg_dump` or `pg_dumpall` wrote, thing by thing: in one transaction, a large schema
 * would want more locks than a server has.
 * @throws with what the server did not take
 */
export async function runScript(client: pg.Client, script: string): Promise<void> {
  await asOurselves(client);
  const { preamble, entries } = entriesOf(script);
  await runPart(client, preamble);
  for (const { type, name, sql } of entries) await runPart(client, sql, `${type} ${name}`);
}

async function runPart(client: pg.Client, sql: string, what = 'what comes first'): Promise<void> {
  try {
    await client.query(sql);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const at = Number(error.position) - 1;
    const line = sql.slice(sql.lastIndexOf('\n', at) + 1).split('\n', 1)[0];
    const where = Number.isNaN(at) ? '' : `, at "${line}"`;
    throw new Error(
      `The follower's version does not take over the schema: ${error.message}, making ${what}${where}.`,
      { cause: error },
    );
  }
}

/**
 * A script that makes a database: the statement that cannot be within a transaction, and the rest,
 * which is for a session in it. A script may say twice that it is: settings want a new session.
 */
export function splitCreation(script: string): { creation: string | null; rest: string } {
  const [creation] = findInScript(script, /^CREATE DATABASE .*;$/);
  // Names of an odd form come with a word on how they are encoded.
  const connects = findInScript(script, /^(?:\\encoding \w+\n)?\\connect .*$/);
  if (!creation || connects.length === 0) return { creation: null, rest: script };
  return { creation: creation[0], rest: without(script, [creation, ...connects]) };
}

/**
 * Roles but ours, which every cluster has, and who is whose member. Who made somebody a member is
 * left out where the server did not keep account of that yet, as `pg_dumpall` has done since: the
 * follower would want each of them to have had the right to.
 */
export function rolesToMake(script: string, major: string): string {
  const own = findInScript(script, new RegExp(`^(?:CREATE|ALTER) ROLE ${superuser}[ ;].*$`));
  const grantors = findInScript(script, /(?<=^GRANT .*) GRANTED BY .*(?=;$)/);
  return without(script, Number(major) < 16 ? [...own, ...grantors] : own);
}

function without(script: string, parts: readonly RegExpExecArray[]): string {
  let [rest, from] = ['', 0];
  for (const { index, 0: text } of parts.toSorted((a, b) => a.index - b.index)) {
    rest += script.slice(from, index);
    from = index + text.length;
  }
  return rest + script.slice(from);
}

/** `psql` is to be told by these lines when to trust a script; they hold a key, so that data cannot be taken for them. */
function withoutCommands(script: string): string {
  const key = /^\\restrict (\w+)$/m.exec(script)?.[1];
  if (key === undefined) return script;
  return script.replaceAll(new RegExp(`^\\\\(un)?restrict ${key}$`, 'gm'), '');
}
