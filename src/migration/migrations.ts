import type { App, User } from '../region/model.js';
import type {
  Migration,
  PhaseName,
  StepRecord,
  StepStatus,
  Upgrade,
  VerifyMode,
} from './migration.js';
import type { Traffic } from './switch/record.js';
import type { Verification } from './verification/verification.js';

/** What is asked for when a migration is created. */
export interface NewMigration {
  readonly app: App;
  /** Who asks for it. */
  readonly user: User;
  readonly source: string;
  readonly destination: string;
  /** Null for the same as in the source. */
  readonly dstAppName: string | null;
  /** What of the data is to be compared before a switch. */
  readonly verify: VerifyMode;
  /** Versions that addons are to have in the destination, by product; others keep theirs. */
  readonly upgrade: Upgrade;
  /** Under which its client may repeat the request; null for one that is not repeated. */
  readonly idempotencyKey: string | null;
}

/** How a phase is asked for. */
export interface Asked {
  /** Under which the client may repeat the request; null for one that is not repeated. */
  readonly key: string | null;
  /** For `complete`: whether to remove the source app. */
  readonly removeSource?: boolean;
}

/** What changed of a migration: itself, or steps of it, as they are now. */
export interface Changes {
  /** Of the migration, with these changes. */
  readonly version: number;
  /** Whether that is all of it, rather than what has changed since a version that was known. */
  readonly isWhole: boolean;
  /** Null when only steps changed. */
  readonly migration: Migration | null;
  readonly steps: readonly StepRecord[];
}

/** A step as a plan tells of it: a check with what it found, or what another would do. */
export interface PlannedStep extends Pick<StepRecord, 'name' | 'logs'> {
  readonly status: StepStatus | 'planned';
}

/** What a migration would do, and whether it can. */
export interface Plan {
  /** As it would be. */
  readonly migration: Migration;
  readonly isPossible: boolean;
  readonly phases: readonly { readonly phase: PhaseName; readonly steps: readonly PlannedStep[] }[];
}

/** All that can be done with migrations; what the API stands on. */
export interface Migrations {
  /**
   * Creates a migration and queues its preflight. Repeated under the same key, it gives the same migration.
   * @throws Refusal: `invalid` for an unknown destination or a bad name; `conflict` when the app has an open migration
   */
  create(wanted: NewMigration): Promise<Migration>;
  /** What {@link Migrations.create} would begin, having looked at everything and changed nothing. @throws as that does */
  plan(wanted: NewMigration): Promise<Plan>;
  /** The migrations that an app has or had, as source or as what came of it; newest first. */
  list(appId: string): Promise<Migration[]>;
  /** What the edges saw around the switches of a migration, as far as they were recorded. */
  traffic(migration: Migration): Promise<Traffic>;
  /** @returns null when that app has no such migration */
  find(appId: string, id: string): Promise<Migration | null>;
  /**
   * Starts a phase, durably, and returns. Repeated under the same key, it does nothing.
   * @throws Refusal `conflict` when the migration's status does not allow it
   */
  run(migration: Migration, phase: PhaseName, how: Asked): Promise<void>;
  /**
   * Begins to compare the databases with what follows them, durably, unless that is under way.
   * It gives way to a phase that is asked for. @returns the one that is under way
   * @throws Refusal `conflict` when none follows, or a phase runs
   */
  verify(migration: Migration): Promise<Verification>;
  /** The comparison that was begun last, by {@link Migrations.verify} or a phase; null when none was. */
  verification(migration: Migration): Promise<Verification | null>;
  /** Ends the comparison that runs; a phase that it is a step of goes on without. */
  stopVerifying(migration: Migration): Promise<void>;
  /**
   * Follows a migration: first as it is, or, when `since` is a version of it, what has changed
   * since; then each change, whichever server makes it. Ends when `signal` fires.
   */
  follow(id: string, since: number | null, signal: AbortSignal): AsyncIterable<Changes>;
}
