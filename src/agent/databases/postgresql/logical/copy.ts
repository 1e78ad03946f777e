import type pg from 'pg';
import { atRemote } from '../../../../postgresql/remote.js';
import type { CopyProgress } from '../../../../shared/copy-progress.js';
import type { Pace } from '../../../../shared/pace.js';
import type { LogicalEndpoint } from '../record.js';
import type { Server } from '../server.js';
import { type Entry, entriesOf } from './entries.js';
import { inLanes } from './lanes.js';
import { carryLargeObjects } from './large-objects.js';
import { asOurselves, databasesOf, type Named, slotName } from './names.js';
import { readScript, rolesToMake, runScript, splitCreation } from './scripts.js';
import { createSlot } from './slot.js';
import { unsubscribe } from './subscription.js';
import { copyTable, speakPlainly, type Table, tablesToCopy, unloggedTables } from './tables.js';
import { silenceTriggers } from './triggers.js';
import { ensureWriter, grantWriterAll, writer } from './writer.js';

/** What the copy of one database works with. */
interface Copy {
  readonly server: Server;
  readonly endpoint: LogicalEndpoint;
  readonly database: Named;
  /** The snapshot of the primary that its slot goes on from. */
  readonly snapshot: string;
  readonly signal: AbortSignal;
  readonly pace: Pace;
  /** Bytes on the primary's disk that are done. */
  readonly done: (bytes: number) => void;
}

/** Makes an empty cluster have all databases and roles of its primary, as of the moments at which its slots begin. */
export async function copyDatabases(
  server: Server,
  endpoint: LogicalEndpoint,
  pace: Pace,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const databases = await atRemote(endpoint, databasesOf, { database: 'postgres', signal });
  const total = await atRemote(
    endpoint,
    async (client) => {
      const { rows } = await client.query<{ size: string }>(
        'SELECT sum(pg_database_size(oid)) AS size FROM pg_database WHERE oid = ANY ($1)',
        [databases.map(({ oid }) => oid)],
      );
      return Number(rows[0]?.size ?? 0);
    },
    { database: 'postgres', signal },
  );
  let copied = 0;
  const done = (bytes: number) => {
    copied += bytes;
    onProgress({ copied: Math.min(copied, total), total });
  };
  for (const [index, database] of databases.entries()) {
    await atRemote(
      endpoint,
      async (session) => {
        const snapshot = await createSlot(session, slotName(endpoint.slot, database));
        const copy = { server, endpoint, database, snapshot, pace, signal, done };
        await copyDatabase(copy, { withRoles: index === 0 });
      },
      { database: database.name, replication: 'database', signal },
    );
  }
  onProgress({ copied: total, total });
}

async function copyDatabase(copy: Copy, { withRoles }: { withRoles: boolean }): Promise<void> {
  const { server, database, signal } = copy;
  const existing = await server.query(databasesOf, { signal });
  const how = { database: database.name, signal };
  const tables = await atSnapshot(copy, tablesToCopy);
  if (existing.some(({ name }) => name === database.name)) {
    await server.query((client) => emptyDatabase(client, tables), how);
    await copyTables(copy, tables, 'filled');
    await copyLargeObjects(copy);
  } else {
    const [before, after] = await atSnapshot(copy, async (primary) => [
      splitCreation(await readScript(primary, 'before')),
      await readScript(primary, 'after'),
    ]);
    const roles = withRoles
      ? rolesToMake(
          await atSnapshot(copy, (primary) => readScript(primary, 'roles')),
          copy.endpoint.major,
        )
      : '';
    await server.query((client) => createDatabase(client, roles, before.creation), { signal });
    const hasPublic = await atSnapshot(copy, hasPublicSchema);
    await server.query(async (client) => {
      if (!hasPublic) await client.query('DROP SCHEMA public');
      await runScript(client, before.rest);
    }, how);
    await server.query(grantWriterAll, how);
    await copyTables(copy, tables, 'new');
    await copyLargeObjects(copy);
    const { preamble, entries } = entriesOf(after);
    const [indexes, rest] = [entries.filter(isIndex), entries.filter((one) => !isIndex(one))];
    await runSideBySide(copy, indexes.map(sqlOf), preamble);
    await server.query((client) => runScript(client, preamble + rest.map(sqlOf).join('')), how);
  }
  const analyses = tables.map(({ name }) => `ANALYZE ${name}`);
  await runSideBySide(copy, analyses, '');
}

/** Indexes, and the constraints that stand on one: each needs nothing but its table. */
const isIndex = ({ type }: Entry) => type === 'INDEX' || type === 'CONSTRAINT';
const sqlOf = ({ sql }: Entry) => sql;

/** What every new database has, and the app may have dropped. */
async function hasPublicSchema(client: pg.Client): Promise<boolean> {
  return (await client.query("SELECT FROM pg_namespace WHERE nspname = 'public'")).rowCount !== 0;
}

async function createDatabase(
  client: pg.Client,
  roles: string,
  creation: string | null,
): Promise<void> {
  await runScript(client, roles);
  await ensureWriter(client);
  if (creation !== null) await client.query(creation);
}

/** Leaves of a database that was a primary before all but its rows. */
async function emptyDatabase(client: pg.Client, tables: readonly Table[]): Promise<void> {
  await asOurselves(client);
  await unsubscribe(client);
  await ensureWriter(client);
  await grantWriterAll(client);
  await silenceTriggers(client);
  const unlogged = await unloggedTables(client);
  const names = [...tables, ...unlogged].map(({ name }) => `ONLY ${name}`);
  await client.query(`TRUNCATE ${names.join(', ')}`);
}

function copyLargeObjects(copy: Copy): Promise<void> {
  const { server, database, signal } = copy;
  return atSnapshot(copy, (primary) =>
    server.query((client) => carryLargeObjects(primary, client), {
      database: database.name,
      signal,
    }),
  );
}

/** The tables, largest first. */
async function copyTables(
  copy: Copy,
  tables: readonly Table[],
  state: 'new' | 'filled',
): Promise<void> {
  await inLanes(
    tables,
    (next, signal) =>
      atSnapshot({ ...copy, signal }, (primary) =>
        copy.server.query(
          async (follower) => {
            await asOurselves(follower);
            await speakPlainly(follower);
            for (let table = next(); table; table = next()) {
              await copyTable(primary, follower, table, state, { pace: copy.pace, signal });
              copy.done(table.size);
            }
          },
          { database: copy.database.name, user: writer, signal },
        ),
      ),
    copy.signal,
  );
}

/** Runs scripts that do not need each other. */
async function runSideBySide(
  { server, database, signal: outer }: Copy,
  scripts: readonly string[],
  preamble: string,
): Promise<void> {
  await inLanes(
    scripts,
    (next, signal) =>
      server.query(
        async (client) => {
          await runScript(client, preamble);
          for (let sql = next(); sql; sql = next()) await runScript(client, sql);
        },
        { database: database.name, signal },
      ),
    outer,
  );
}

/** Lends a session that sees the primary as it was when the slot was made. */
function atSnapshot<T>(
  { endpoint, database, snapshot, signal }: Copy,
  use: (primary: pg.Client) => Promise<T>,
): Promise<T> {
  return atRemote(
    endpoint,
    async (primary) => {
      await speakPlainly(primary);
      await primary.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
      await primary.query(`SET TRANSACTION SNAPSHOT ${primary.escapeLiteral(snapshot)}`);
      return use(primary);
    },
    { database: database.name, signal },
  );
}
