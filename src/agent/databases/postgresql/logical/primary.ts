import type pg from 'pg';
import { dumperFor, type Platform } from '../platform.js';
import { foreignGrants, grantRole, letConnect } from '../queries.js';
import type { Grant } from '../record.js';
import type { Server } from '../server.js';
import { makeFollowable, release } from './followable.js';
import { asOurselves, databasesOf, type Named, slotName } from './names.js';
import { keepScripts } from './scripts.js';
import { ensureSlot } from './slot.js';

/**
 * Lets a follower of another platform in: its role reads everything and streams, but changes nothing.
 * What the follower is made from is written down, where a program for that is there.
 */
export async function grantLogically(
  server: Server,
  { name, password }: Pick<Grant, 'name' | 'password'>,
  to: Platform,
): Promise<void> {
  await server.insist((client) => grantReader(client, { name, password }));
  const dumper = await dumperFor(server.host.majors, server.record.major, to.major);
  for (const database of await server.query(databasesOf)) {
    await server.query(
      async (client) => {
        await makeFollowable(client, name);
        if (dumper) await keepScripts(client, server, dumper, database);
      },
      { database: database.name },
    );
  }
}

/** The same for who was the primary until now: it needs no copy, but all that is written from now on. */
export async function grantFormerPrimary(
  server: Server,
  { name, password }: Pick<Grant, 'name' | 'password'>,
): Promise<void> {
  await server.query((client) => grantReader(client, { name, password }));
  await inEveryDatabase(server, async (client, database) => {
    await makeFollowable(client, name);
    await ensureSlot(client, slotName(name, database));
  });
}

/** Takes away what {@link grantLogically} gave to all followers but those named; the last of them leaves nothing. */
export async function revokeLogically(server: Server, kept: readonly string[]): Promise<void> {
  const revoked = await server.query((client) => foreignGrants(client, kept));
  await inEveryDatabase(server, async (client) => {
    await asOurselves(client);
    for (const name of revoked) {
      await client.query(`DROP OWNED BY ${client.escapeIdentifier(name)}`);
    }
    if (kept.length === 0) await release(client);
  });
}

/**
 * Has the primary begin anew with its followers only, read-only. That it ends in between leaves no
 * session that could still write. @returns where its history ends
 */
export async function fenceLogically(server: Server, signal?: AbortSignal): Promise<string> {
  await server.cluster.stop(signal);
  await server.start(signal);
  return server.query(async (client) => {
    const { rows } = await client.query<{ lsn: string }>(
      'SELECT pg_current_wal_flush_lsn()::text AS lsn',
    );
    return rows[0]?.lsn ?? '0/0';
  });
}

export async function inEveryDatabase(
  server: Server,
  use: (client: pg.Client, database: Named) => Promise<void>,
): Promise<void> {
  for (const database of await server.query(databasesOf)) {
    await server.query((client) => use(client, database), { database: database.name });
  }
}

async function grantReader(
  client: pg.Client,
  grant: { readonly name: string; readonly password: string },
): Promise<void> {
  await grantRole(client, grant, 'REPLICATION BYPASSRLS');
  await client.query(`GRANT pg_read_all_data TO ${client.escapeIdentifier(grant.name)}`);
  await letConnect(client, grant.name);
}
