import type { Kysely } from 'kysely';
import { Refusal } from '../shared/errors.js';
import type { PhaseName } from './migration.js';
import type { NewMigration } from './migrations.js';
import type { MigrationTables } from './schema.js';

/** What it is to ask for a phase, in words that tell two requests apart. */
export const runRequest = (id: string, phase: PhaseName) => `run ${phase} of ${id}`;

/** What it is to ask for a new migration. */
export const createRequest = ({ app, destination, dstAppName, verify, upgrade }: NewMigration) => {
  const versions = Object.entries(upgrade).sort();
  const upgraded = versions.map(([product, version]) => ` with ${product} ${version}`).join('');
  const compared = verify === 'none' ? ', not compared' : '';
  return `create on ${destination} as ${dstAppName ?? app.id}${upgraded}${compared}`;
};

/**
 * The migration that a request made before under the same key is about; null when none was.
 * @throws Refusal `invalid` when the key was used for another request
 */
export async function asked(
  db: Kysely<MigrationTables>,
  app: string,
  key: string | null,
  request: string,
): Promise<string | null> {
  if (key === null) return null;
  const found = await db
    .selectFrom('idempotency_keys')
    .select(['request', 'migration_id'])
    .where('app_id', '=', app)
    .where('key', '=', key)
    .executeTakeFirst();
  if (!found) return null;
  if (found.request === request) return found.migration_id;
  throw Refusal.invalid(
    'idempotency_key',
    'was used for another request. Give every request a key of its own.',
  );
}

/** Notes what was asked for under a key, if there is one; what was asked for first stays. */
export async function noteRequest(
  db: Kysely<MigrationTables>,
  app: string,
  key: string | null,
  request: string,
  migration: string,
): Promise<void> {
  if (key === null) return;
  await db
    .insertInto('idempotency_keys')
    .values({ app_id: app, key, request, migration_id: migration })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
