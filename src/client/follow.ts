import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationJson } from '../api/region-migrations/presenter.js';
import { type ApiClient, ApiError, Unreachable } from './api-client.js';

/** How often a migration is looked at, in milliseconds. */
const every = 250;
/** How long an API that does not answer is asked again, in milliseconds. */
const patience = 120_000;

/** Whether nothing of the migration is under way. */
export function isAtRest({ status }: MigrationJson): boolean {
  return !['created', 'running', 'aborting'].includes(status);
}

/**
 * Looks at a migration until nothing of it is under way. An API that is away for a while is no
 * more than a pause.
 * @param seen called with each look
 */
export async function followMigration(
  client: ApiClient,
  app: string,
  id: string,
  seen: (migration: MigrationJson) => void,
): Promise<MigrationJson> {
  for (;;) {
    const migration = await patiently(() => client.migration(app, id));
    seen(migration);
    if (isAtRest(migration)) return migration;
    await sleep(every);
  }
}

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + patience;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const passing =
        error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
      if (!passing || Date.now() > deadline) throw error;
      await sleep(every);
    }
  }
}
