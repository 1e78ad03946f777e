/**
 * What a migration is: its statuses and what may be asked of it in each. Pure; see the table in
 * docs/how-it-works.md.
 */

export const phases = ['preflight', 'prepare', 'data', 'finalize', 'abort'] as const;
export type PhaseName = (typeof phases)[number];

export const statuses = [
  'created',
  'preflight-success',
  'preflight-error',
  'running',
  'prepared',
  'data-migrated',
  'aborting',
  'aborted',
  'error',
  'done',
] as const;
export type Status = (typeof statuses)[number];

export type StepStatus = 'running' | 'done' | 'error';

/** How far a step is that takes long: bytes done and to do. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** One visible line within a phase. */
export interface StepRecord {
  readonly id: string;
  readonly phase: PhaseName;
  readonly name: string;
  readonly status: StepStatus;
  readonly logs: string | null;
  readonly progress: Progress | null;
}

export interface Migration {
  readonly id: string;
  readonly appId: string;
  readonly srcAppName: string;
  readonly dstAppName: string;
  /** Null until `prepare` has made the app in the destination. */
  readonly newAppId: string | null;
  readonly source: string;
  readonly destination: string;
  readonly status: Status;
  /** The phase that runs, or the last that ran. */
  readonly phase: PhaseName | null;
  /** The phase that failed, while the status is `error` or `preflight-error`. */
  readonly failedPhase: PhaseName | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly steps: readonly StepRecord[];
}

/** Statuses in which a migration is over; its app may begin another. */
export const closedStatuses: readonly Status[] = ['aborted', 'done'];

/** What asking for a phase comes to. */
export type Verdict = 'start' | 'nothing-to-do' | 'refused';

/**
 * Whether `phase` may be run now. A failed phase may be run again; `abort` may be run until the
 * migration is over, also while another phase runs; `preflight` is asked for by clients right after
 * they create a migration, so asking again while it runs or once it succeeded is harmless.
 */
export function judge(
  migration: Pick<Migration, 'status' | 'phase' | 'failedPhase'>,
  phase: PhaseName,
): Verdict {
  const { status, failedPhase } = migration;
  if (phase === 'abort') {
    if (status === 'aborting' || status === 'aborted') return 'nothing-to-do';
    return status === 'done' ? 'refused' : 'start';
  }
  if (status === 'error' && failedPhase === phase) return 'start';
  switch (phase) {
    case 'preflight':
      if (status === 'created' || status === 'preflight-success') return 'nothing-to-do';
      if (status === 'running' && migration.phase === 'preflight') return 'nothing-to-do';
      return status === 'preflight-error' ? 'start' : 'refused';
    case 'prepare':
      return status === 'preflight-success' ? 'start' : 'refused';
    case 'data':
      return status === 'prepared' ? 'start' : 'refused';
    case 'finalize':
      return status === 'prepared' || status === 'data-migrated' ? 'start' : 'refused';
  }
}

/** The phases that may be started now, for messages. */
export function possiblePhases(
  migration: Pick<Migration, 'status' | 'phase' | 'failedPhase'>,
): PhaseName[] {
  return phases.filter((phase) => judge(migration, phase) === 'start');
}
