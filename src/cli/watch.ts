import type { MigrationJson } from '../api/region-migrations/presenter.js';
import { succeeded, terminal, watchPhase } from '../client/watch-phase.js';
import type { Session } from './session.js';

/** Shows a phase while it runs, then how the migration stands. @throws when the phase failed */
export async function watch(
  session: Session,
  migration: Pick<MigrationJson, 'id'>,
  title: string,
): Promise<MigrationJson> {
  const ended = await watchPhase(session.client, session.app(), migration, title, terminal);
  if (succeeded(ended)) return ended;
  throw new Error(
    `Migration ${ended.id} is "${ended.status}": ${ended.failed_phase} failed, as its steps tell. Mend the cause and run it again, or abort the migration.`,
  );
}

/** How a migration stands, in lines. */
export function summary(migration: MigrationJson): string[] {
  const { id, src_app_name, dst_app_name, source, destination, status } = migration;
  return [`${id}  ${src_app_name} on ${source} → ${dst_app_name} on ${destination}: ${status}`];
}
