import type { App } from '../region/model.js';
import type { Migration, PhaseName } from './migration.js';

/** What is asked for when a migration is created. */
export interface NewMigration {
  readonly app: App;
  readonly source: string;
  readonly destination: string;
  readonly dstAppName: string;
}

/** All that can be done with migrations; what the API stands on. */
export interface Migrations {
  /**
   * Creates a migration and queues its preflight.
   * @throws Refusal: `invalid` for an unknown destination or a bad name; `conflict` when the app has an open migration
   */
  create(wanted: NewMigration): Promise<Migration>;
  /** The migrations that an app has or had, as source or as what came of it; newest first. */
  list(appId: string): Promise<Migration[]>;
  /** @returns null when that app has no such migration */
  find(appId: string, id: string): Promise<Migration | null>;
  /**
   * Starts a phase, durably, and returns.
   * @throws Refusal `conflict` when the migration's status does not allow it
   */
  run(migration: Migration, phase: PhaseName): Promise<void>;
}
