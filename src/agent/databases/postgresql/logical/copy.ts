import type pg from 'pg';
import type { CopyProgress } from '../../../../postgresql/base-backup.js';
import { atRemote } from '../../../../postgresql/remote.js';
import type { LogicalEndpoint } from '../record.js';
import type { Server } from '../server.js';
import { carryLargeObjects } from './large-objects.js';
import { asOurselves, databasesOf, type Named, slotName } from './names.js';
import { readScript, runScript, splitCreation, withoutSuperuser } from './scripts.js';
import { createSlot } from './slot.js';
import { copyTable, speakPlainly, type Table, tablesToCopy } from './tables.js';
import { ensureWriter, grantWriterAll, writer } from './writer.js';

/** How many tables are copied side by side. */
const lanes = 4;

/** What the copy of one database works with. */
interface Copy {
  readonly server: Server;
  readonly endpoint: LogicalEndpoint;
  readonly database: Named;
  /** The snapshot of the primary that its slot goes on from. */
  readonly snapshot: string;
  readonly signal: AbortSignal;
  /** Bytes on the primary's disk that are done. */
  readonly done: (bytes: number) => void;
}

/** Makes an empty cluster have all databases and roles of its primary, as of the moments at which its slots begin. */
export async function copyDatabases(
  server: Server,
  endpoint: LogicalEndpoint,
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
        const copy = { server, endpoint, database, snapshot, signal, done };
        await copyDatabase(copy, { withRoles: index === 0 });
      },
      { database: database.name, replication: true, signal },
    );
  }
  onProgress({ copied: total, total });
}

async function copyDatabase(copy: Copy, { withRoles }: { withRoles: boolean }): Promise<void> {
  const { server, database, signal } = copy;
  const { roles, before, after, tables } = await atSnapshot(copy, async (primary) => ({
    roles: withoutSuperuser(await readScript(primary, 'roles')),
    before: splitCreation(await readScript(primary, 'before')),
    after: await readScript(primary, 'after'),
    tables: await tablesToCopy(primary),
  }));
  await server.query(
    async (client) => {
      await asOurselves(client);
      if (withRoles) await runScript(client, roles);
      await ensureWriter(client);
      if (before.creation) await client.query(before.creation);
    },
    { signal },
  );
  const run = (sql: string) =>
    server.query(
      async (client) => {
        await asOurselves(client);
        await runScript(client, sql);
      },
      { database: database.name, signal },
    );
  await run(before.rest);
  await server.query(grantWriterAll, { database: database.name, signal });
  await copyTables(copy, tables);
  await atSnapshot(copy, (primary) =>
    server.query((client) => carryLargeObjects(primary, client), {
      database: database.name,
      signal,
    }),
  );
  await run(after);
  await run('ANALYZE');
}

/** The tables, largest first, several at a time. What goes wrong with one ends all. */
async function copyTables(copy: Copy, tables: readonly Table[]): Promise<void> {
  const queue = [...tables];
  const failed = new AbortController();
  const signal = AbortSignal.any([copy.signal, failed.signal]);
  const lane = () =>
    atSnapshot({ ...copy, signal }, (primary) =>
      copy.server.query(
        async (follower) => {
          await asOurselves(follower);
          await speakPlainly(follower);
          for (let table = queue.shift(); table; table = queue.shift()) {
            await copyTable(primary, follower, table, { freeze: true }, signal);
            copy.done(table.size);
          }
        },
        { database: copy.database.name, user: writer, signal },
      ),
    ).catch((error) => {
      failed.abort(error);
      throw error;
    });
  await Promise.all(Array.from({ length: Math.min(lanes, tables.length) }, lane));
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
