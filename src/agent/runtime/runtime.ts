import type { AppHealth, FormationEntry, LogLines } from '../../region/model.js';
import type { Backend } from '../edge/route.js';

/** What is to run for an app. */
export interface Workload {
  readonly app: string;
  /** The app's folder in the region. */
  readonly folder: string;
  /** The unpacked build; null while nothing has been deployed. */
  readonly build: string | null;
  /** Command of each process type. */
  readonly commands: Readonly<Record<string, string>>;
  readonly formation: readonly FormationEntry[];
  readonly environment: Readonly<Record<string, string>>;
}

/** How processes are ended. */
export interface Stopping {
  /** The processes that are meant, by type (`web`) or by name (`web-1`); all when not given. */
  readonly scope?: readonly string[] | undefined;
  /** Milliseconds between SIGTERM and SIGKILL; the runtime's usual patience when not given. */
  readonly grace?: number | undefined;
}

/**
 * What runs apps in a region: processes of the host, or one day containers. What runs outlives
 * the agent; {@link Runtime.run} after a restart of the agent finds it again.
 */
export interface Runtime {
  /** Starts what is wanted and does not run, ends what is not wanted; the rest is left alone. */
  run(workload: Workload): Promise<void>;
  /** Ends processes of the app; returns when none of them runs. */
  stop(app: Pick<Workload, 'app' | 'folder'>, how?: Stopping): Promise<void>;
  /** Lets go of an app that is stopped and removed. */
  forget(app: string): void;
  health(app: string): AppHealth;
  /** Web processes that accept connections. */
  backends(app: string): Backend[];
  /**
   * The last lines that the app's processes printed, and what the region notes of them.
   * @param of types or names of the processes that are meant; all when not given
   */
  logs(
    app: Pick<Workload, 'app' | 'folder'>,
    lines: number,
    of?: readonly string[],
  ): Promise<LogLines>;
  /** What came after the `end` of an earlier answer; waits for something, for at most `wait` ms. */
  logsAfter(
    app: Pick<Workload, 'app' | 'folder'>,
    end: string,
    wait: number,
    of?: readonly string[],
  ): Promise<LogLines>;
  /** Adds a line of the region's own to the app's logs. */
  note(app: Pick<Workload, 'app' | 'folder'>, line: string): Promise<void>;
  /** Adds lines under a name, as if a process of that name had printed them. */
  log(app: Pick<Workload, 'app' | 'folder'>, name: string, lines: readonly string[]): Promise<void>;
  /** Lets go of everything; what runs goes on running. */
  leave(): Promise<void>;
}
