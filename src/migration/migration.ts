/**
 * What a migration is: its statuses and what may be asked of it in each. Pure; see the table in
 * docs/how-it-works.md.
 */

import type { Switches } from './switch/record.js';

export const phases = [
  'preflight',
  'prepare',
  'data',
  'finalize',
  'abort',
  'rollback',
  'complete',
] as const;
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
  'rolled-back',
] as const;
export type Status = (typeof statuses)[number];

/** What of the data is compared before a switch. */
export const verifyModes = ['content', 'none'] as const;
export type VerifyMode = (typeof verifyModes)[number];

export type StepStatus = 'running' | 'done' | 'error';

/** How far something is that takes long: bytes done and to do. */
export interface Amount {
  readonly done: number;
  readonly total: number;
}

/** How far a step is, and how many bytes are done a second, lately: in all, and of each database. */
export interface Progress extends Amount {
  readonly rate: number;
  /** An earlier version did not tell them apart. */
  readonly databases?: readonly DatabaseProgress[];
}

/** How far the copy of one database is. */
export interface DatabaseProgress extends Amount {
  readonly name: string;
  readonly rate: number;
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

/** Versions by product, such as `{ postgresql: '18' }`. */
export type Upgrade = Readonly<Record<string, string>>;

export interface Migration {
  readonly id: string;
  readonly appId: string;
  readonly srcAppName: string;
  readonly dstAppName: string;
  /** Null until `prepare` has made the app in the destination. */
  readonly newAppId: string | null;
  readonly source: string;
  readonly destination: string;
  /** Versions that addons are to have in the destination, by product; others keep theirs. */
  readonly upgrade: Upgrade;
  readonly status: Status;
  /** The phase that runs, or the last that ran. */
  readonly phase: PhaseName | null;
  /** The phase that failed, while the status is `error` or `preflight-error`. */
  readonly failedPhase: PhaseName | null;
  /** Whether the app that served was running when the switch began; null before. */
  readonly wasStarted: boolean | null;
  /** Until when requests may be held; null unless they are. */
  readonly holdUntil: Date | null;
  /** Whether a promotion may have happened where the app is to serve. */
  readonly promoting: boolean;
  /** When the destination took over; finalize cannot be undone from then on. */
  readonly switchedAt: Date | null;
  /** Until when the switch can be taken back; null before it. */
  readonly windowClosesAt: Date | null;
  /** When the source took over again; rollback cannot be undone from then on. */
  readonly rolledBackAt: Date | null;
  /** When what kept the switch reversible was taken away. */
  readonly completedAt: Date | null;
  /** Whether the end of the window removes the source app. */
  readonly removeSource: boolean;
  /** How each switch went, or goes. */
  readonly switches: Switches;
  /** What of the data is compared before a switch. */
  readonly verify: VerifyMode;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly steps: readonly StepRecord[];
}

/** What the engine reads of a migration to judge what may be asked of it. */
export type Standing = Pick<
  Migration,
  'status' | 'phase' | 'failedPhase' | 'switchedAt' | 'windowClosesAt' | 'completedAt'
>;

/** Statuses in which a migration is over; its app may begin another. */
export const closedStatuses: readonly Status[] = ['aborted', 'done', 'rolled-back'];

/** Whether the phase that runs has passed its point of no return. */
export function isCommitted({
  phase,
  switchedAt,
  rolledBackAt,
}: Pick<Migration, 'phase' | 'switchedAt' | 'rolledBackAt'>): boolean {
  return (phase === 'rollback' ? rolledBackAt : switchedAt) !== null;
}

/** Whether the databases of one side follow those of the other, and nothing is being done to them. */
export function isFollowed(migration: Standing, now = new Date()): boolean {
  const { status, failedPhase, windowClosesAt, completedAt } = migration;
  if (status === 'data-migrated') return true;
  const isOpen = completedAt === null && windowClosesAt !== null && now < windowClosesAt;
  return isOpen && (status === 'done' || (status === 'error' && failedPhase === 'rollback'));
}

/** What asking for a phase comes to. */
export type Verdict = 'start' | 'nothing-to-do' | 'refused';

/**
 * Whether `phase` may be run now. A failed phase may be run again; `abort` may be run until the
 * migration is over, also while another phase runs; `preflight` is asked for by clients right after
 * they create a migration, so asking again while it runs or once it succeeded is harmless. What was
 * done can be rolled back until the window closes, and completed before.
 */
export function judge(migration: Standing, phase: PhaseName, now = new Date()): Verdict {
  const { status, failedPhase, windowClosesAt, completedAt } = migration;
  if (phase === 'abort') {
    if (status === 'aborting' || status === 'aborted') return 'nothing-to-do';
    return closedStatuses.includes(status) || migration.switchedAt !== null ? 'refused' : 'start';
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
    case 'rollback': {
      const isOpen = completedAt === null && windowClosesAt !== null && now < windowClosesAt;
      return status === 'done' && isOpen ? 'start' : 'refused';
    }
    case 'complete':
      if (status === 'done' && completedAt !== null) return 'nothing-to-do';
      return status === 'done' || (status === 'error' && failedPhase === 'rollback')
        ? 'start'
        : 'refused';
  }
}

/** The phases that may be started now, for messages. */
export function possiblePhases(migration: Standing, now = new Date()): PhaseName[] {
  return phases.filter((phase) => judge(migration, phase, now) === 'start');
}

/** What may be asked of a migration now, as a sentence; null when nothing may. */
export function nextOf(migration: Standing): string | null {
  const possible = possiblePhases(migration);
  return possible.length > 0 ? `It can be asked to ${possible.join(' or ')} now.` : null;
}
