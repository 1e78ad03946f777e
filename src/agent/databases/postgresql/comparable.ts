import pRetry from 'p-retry';
import pg from 'pg';
import type { Contents, Look, Seen } from '../../../region/model.js';
import { Refusal } from '../../../shared/errors.js';
import type { Comparable } from '../product.js';
import { contentsOf, isUndivided, readPartId } from './compared.js';
import { databasesOf } from './logical/names.js';
import { letConnect } from './queries.js';
import { lookAtRows } from './rows.js';
import type { Server } from './server.js';
import { reader } from './settings.js';

/** SQLSTATEs, by what they mean for a look. */
const codes = {
  /** The database, schema, table or a column of its key is not there. */
  gone: ['3D000', '3F000', '42P01', '42703'],
  /** It took longer than it may. */
  slow: ['57014'],
  /** What a follower replays needed what the look held. */
  conflict: ['40001', '40P01'],
};

/** What followers that are kept by rows do not have before the switch. */
const broughtAlong =
  'Sequences and large objects are brought along by the switch, and compared then; materialised views and unlogged tables are brought along, and not compared.';

/** How often a look that was in the way of replaying is tried again. */
const retries = 10;
/** After what a session that has not answered is given up, in milliseconds. */
const patience = { inPieces: 60_000, whole: 600_000 };

/** Compares a cluster with its followers. */
export class ComparableCluster implements Comparable {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  async contents(): Promise<Contents> {
    const { grants, following } = this.#server.record;
    const links = [...grants.map(({ link }) => link), following?.endpoint.link];
    const link = links.includes('logical') ? 'logical' : 'physical';
    const databases = await this.#server.query(async (client) => {
      await ensureReader(client);
      if (link === 'logical') return (await databasesOf(client)).map(({ name }) => name);
      const { rows } = await client.query<{ datname: string }>(
        'SELECT datname FROM pg_database WHERE datallowconn',
      );
      return rows.map(({ datname }) => datname);
    });
    const all: Contents = { parts: [], leftOut: link === 'logical' ? [broughtAlong] : [] };
    for (const database of databases) {
      const found = await this.#server
        .query((client) => contentsOf(client, database, link), { database })
        .catch((error) => {
          if (codes.gone.includes(codeOf(error))) return null; // dropped meanwhile
          throw error;
        });
      all.parts.push(...(found?.parts ?? []));
      all.leftOut.push(...(found?.leftOut ?? []));
    }
    return all;
  }

  async digest(part: string, looks: readonly Look[]): Promise<Seen | null> {
    const what = readPartId(part);
    const attempt = () =>
      this.#server.query((client) => lookAtRows(client, what, looks), {
        ...{ user: reader, database: what.database },
        signal: AbortSignal.timeout(isUndivided(what) ? patience.whole : patience.inPieces),
      });
    return pRetry(attempt, {
      retries,
      minTimeout: 20,
      maxTimeout: 500,
      shouldRetry: ({ error }) => codes.conflict.includes(codeOf(error)),
    }).catch((error) => {
      if (codes.gone.includes(codeOf(error))) return null;
      if (codes.slow.includes(codeOf(error))) {
        throw new Refusal('too-large', 'So many rows take too long to look at. Ask for fewer.');
      }
      throw error;
    });
  }
}

/** Makes the role that reads, and lets it into every database. A follower has it from its primary. */
async function ensureReader(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ follows: boolean }>(
    'SELECT pg_is_in_recovery() AS follows',
  );
  if (rows[0]?.follows !== false) return;
  await client.query(`
    BEGIN;
    SELECT pg_advisory_xact_lock(hashtext('${reader}'));
    DO $$ BEGIN
      IF to_regrole('${reader}') IS NULL THEN
        CREATE ROLE ${reader} LOGIN BYPASSRLS IN ROLE pg_read_all_data;
      END IF;
    END $$;
    COMMIT`);
  await letConnect(client, reader);
}

function codeOf(error: unknown): string {
  return error instanceof pg.DatabaseError ? (error.code ?? '') : '';
}
