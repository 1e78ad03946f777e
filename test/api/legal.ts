/** What design and documentation allow a migration, written down apart from the code that obeys it. */

/**
 * Where each state leads. A state is the status, with the phase that runs or failed where the
 * status does not tell.
 */
const transitions: Record<string, readonly string[]> = {
  created: ['running preflight', 'aborting'],
  'running preflight': ['preflight-success', 'preflight-error', 'aborting'],
  'preflight-error': ['running preflight', 'aborting'],
  'preflight-success': ['running prepare', 'aborting'],
  'running prepare': ['prepared', 'error prepare', 'aborting'],
  'error prepare': ['running prepare', 'aborting'],
  prepared: ['running data', 'running finalize', 'aborting'],
  'running data': ['data-migrated', 'error data', 'aborting'],
  'error data': ['running data', 'aborting'],
  'data-migrated': ['running finalize', 'aborting'],
  'running finalize': ['done', 'error finalize', 'aborting'],
  'error finalize': ['running finalize', 'aborting'],
  aborting: ['aborted', 'error abort'],
  'error abort': ['aborting'],
  aborted: [],
  done: ['running rollback', 'running complete'],
  'running rollback': ['rolled-back', 'error rollback'],
  'error rollback': ['running rollback', 'running complete'],
  'rolled-back': [],
  'running complete': ['done'],
};

/** The phases whose steps are all done in a status, for certain. */
export const finishedIn: Record<string, readonly string[]> = {
  'preflight-success': ['preflight'],
  prepared: ['preflight', 'prepare'],
  'data-migrated': ['preflight', 'prepare', 'data'],
  aborted: ['abort'],
  done: ['preflight', 'prepare', 'finalize'],
  'rolled-back': ['preflight', 'prepare', 'finalize', 'rollback'],
};

/** What may be asked for in a status, apart from what failed in it. */
export const possibleIn: Record<string, readonly string[]> = {
  created: ['abort'],
  running: ['abort'],
  aborting: [],
  aborted: [],
  done: ['rollback', 'complete'],
  'rolled-back': [],
  error: ['abort'],
  'preflight-error': ['preflight', 'abort'],
  'preflight-success': ['prepare', 'abort'],
  prepared: ['data', 'finalize', 'abort'],
  'data-migrated': ['finalize', 'abort'],
};

export interface Standing {
  readonly status: string;
  readonly phase: string | null;
  readonly failed_phase: string | null;
}

export function stateOf({ status, phase, failed_phase }: Standing): string {
  if (status === 'running') return `running ${phase}`;
  return status === 'error' ? `error ${failed_phase}` : status;
}

export function isLegal(from: string, to: string): boolean {
  return from === to || (transitions[from]?.includes(to) ?? false);
}
