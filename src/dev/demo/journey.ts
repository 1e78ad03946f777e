import type { MigrationJson } from '../../api/region-migrations/presenter.js';
import type { ApiClient } from '../../client/api-client.js';
import { journey, succeeded, terminal, watchPhase } from '../../client/watch-phase.js';

/** Moves an app, phase after phase, while that is shown. @throws when a phase fails */
export async function migrate(
  client: ApiClient,
  app: string,
  destination: string,
): Promise<MigrationJson> {
  let migration = await client.createMigration(app, destination);
  for (const { phase, title } of journey) {
    if (phase !== 'preflight') await client.runMigration(app, migration.id, phase);
    migration = await watchPhase(client, app, migration, title, terminal);
    if (!succeeded(migration)) throw new Error(`The migration ended as "${migration.status}".`);
  }
  return migration;
}
