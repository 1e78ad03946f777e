import pg from 'pg';
import type { Binaries } from '../../../../postgresql/binaries.js';
import { superuser } from '../../../../postgresql/cluster.js';
import { Refusal } from '../../../../shared/errors.js';
import type { Server } from '../server.js';
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
  const login = ['-p', String(record.port), '-U', superuser];
  const quoted = name.replaceAll(/['\\]/g, '\\$&');
  const dump = (section: string, ...more: string[]) =>
    cluster.output(dumper, 'pg_dump', [
      ...[...login, '-d', `dbname='${quoted}'`, ...more, `--section=${section}`],
      ...['--no-tablespaces', '--no-subscriptions'],
    ]);
  const parts: Record<Part, string> = {
    roles: await cluster.output(dumper, 'pg_dumpall', [...login, '-l', name, '--roles-only']),
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

/** @throws with the line that the server did not take */
export async function runScript(client: pg.Client, script: string): Promise<void> {
  await asOurselves(client);
  try {
    await client.query(script);
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) throw error;
    const at = Number(error.position ?? 1) - 1;
    const line = script.slice(script.lastIndexOf('\n', at) + 1).split('\n', 1)[0];
    throw new Error(
      `The follower's version does not take over the schema: ${error.message}, at "${line}".`,
      { cause: error },
    );
  }
}

/**
 * A script that makes a database: the statement that cannot be within a transaction, and the rest,
 * which is for a session in it. A script may say twice that it is: settings want a new session.
 */
export function splitCreation(script: string): { creation: string | null; rest: string } {
  const creation = /^CREATE DATABASE .*;$/m.exec(script)?.[0];
  // Names of an odd form come with a word on how they are encoded.
  const connect = /^(?:\\encoding \w+\n)?\\connect .*$/m.exec(script)?.[0];
  if (creation === undefined || connect === undefined) return { creation: null, rest: script };
  const rest = [creation, connect, connect].reduce(
    (text, line) => text.replace(line, () => ''),
    script,
  );
  return { creation, rest };
}

/** Roles but ours, which every cluster has. */
export function withoutSuperuser(script: string): string {
  const own = new RegExp(`^(CREATE|ALTER) ROLE ${superuser}[ ;].*$`, 'gm');
  return script.replaceAll(own, '');
}

/** `psql` is to be told by these lines when to trust a script; they hold a key, so that data cannot be taken for them. */
function withoutCommands(script: string): string {
  const key = /^\\restrict (\w+)$/m.exec(script)?.[1];
  if (key === undefined) return script;
  return script.replaceAll(new RegExp(`^\\\\(un)?restrict ${key}$`, 'gm'), '');
}
