import { closedStatuses } from '../../migration/migration.js';
import type { App } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import type { ApiContext } from '../context.js';

/**
 * What would pull an app from under a migration that has begun and has not frozen it yet. What
 * comes after that its region refuses.
 * @throws Refusal `conflict`
 */
export async function requireNoMigration({ migrations }: ApiContext, app: App): Promise<void> {
  if (app.frozenBy !== null) return;
  const open = (await migrations.list(app.id)).find(
    ({ status }) => !closedStatuses.includes(status),
  );
  if (!open) return;
  const next =
    open.status === 'aborting' ? 'Wait until it is aborted' : 'Abort it, or wait for its end,';
  throw Refusal.conflict(
    'migration_open',
    `${app.name} has an open migration: ${open.id}, which is ${open.status}. ${next} before you do this.`,
  );
}
