import type { App } from '../region/model.js';
import type { Looks, Region } from '../region/region.js';
import type { Amount, Migration, PhaseName, Status } from './migration.js';
import type { Facts } from './store.js';
import type { Mark, SwitchClients, TrafficSecond } from './switch/record.js';

/** What a step works with. */
export interface StepContext {
  /** As it stood when the step began. */
  readonly migration: Migration;
  /** Both regions; changes are made on behalf of the migration, and calls end when `signal` fires. */
  readonly source: Region;
  readonly destination: Region;
  /** Id of the app in the destination, whether it exists yet or not. */
  readonly newAppId: string;
  /** For how long requests may be held, in milliseconds. */
  readonly holdBudget: number;
  /** For how much longer, while what cannot be copied before is copied, in milliseconds. */
  readonly copyBudget: number;
  /** The app to be moved. @throws Refusal when it no longer exists */
  sourceApp(): Promise<App>;
  /** Whether somebody has an account. */
  isKnown(user: string): Promise<boolean>;
  /** Fires when the migration is being aborted or the time for the hold is over. */
  readonly signal: AbortSignal;
  /** Adds a line to the step's logs, for people. */
  log(line: string): void;
  /** Tells how far the copy of each database is, by its name. */
  progress(copies: ReadonlyMap<string, Amount>): void;
  /** Leaves facts for later steps, durably. */
  remember(facts: Facts): Promise<void>;
  /** How the switch goes, for whoever looks at it later. */
  readonly record: Recording;
  /** Passes the point of no return. @throws when the migration is being aborted */
  commitSwitch(): Promise<void>;
}

/** Writes down how a switch goes. */
export interface Recording {
  /** Notes that it has come so far, now; what an earlier attempt noted stays. Written when the step ends. */
  mark(mark: Mark): void;
  clients(found: SwitchClients): Promise<void>;
  traffic(found: readonly TrafficSecond[]): Promise<void>;
  /** There was no switch after all. */
  forget(): Promise<void>;
}

/** What can be known of a migration by looking alone. */
export interface Outlook
  extends Pick<StepContext, 'migration' | 'newAppId' | 'holdBudget' | 'copyBudget' | 'sourceApp'> {
  readonly source: Looks;
  readonly destination: Looks;
}

/**
 * One visible line within a phase. A step may be interrupted anywhere and run again from its
 * beginning: all that it does must be idempotent.
 */
export interface Step {
  readonly title: string | ((migration: Migration) => string);
  run(context: StepContext): Promise<void>;
  /** What it would do now, in lines for people. */
  foresee?(outlook: Outlook): Promise<string[]>;
  /**
   * Takes back what `run` did, or the part of it that it came to. Repeated until it succeeds, and right
   * wherever an earlier attempt was interrupted.
   */
  undo?(context: StepContext): Promise<void>;
  /** Runs while requests are held, within the time that is left for that. */
  readonly whileHolding?: boolean;
}

/** A phase is data. */
export interface Phase {
  readonly name: PhaseName;
  readonly success: Status;
  readonly failure: Status;
  /** The steps in order, by the names under which they are remembered. */
  steps(migration: Migration): Readonly<Record<string, Step>>;
  /** Runs the remaining steps although one failed, so that every obstacle is seen at once. */
  readonly runsAll?: boolean;
  /** Goes on trying a step that fails; for what must not end half-way. */
  readonly persists?: boolean;
}
