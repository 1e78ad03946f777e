import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  closedStatuses,
  judge,
  type PhaseName,
  phases,
  possiblePhases,
  type Standing,
  type Status,
  statuses,
} from '../../src/migration/migration.js';
import { phaseNamed } from '../../src/migration/phases.js';

/** A migration as the state machine sees it, with what the engine does to it when a run begins and ends. */
class Model {
  standing: Standing = { status: 'created', phase: null, failedPhase: null, switchedAt: null };

  begin(phase: PhaseName): void {
    const status = phase === 'abort' ? 'aborting' : 'running';
    this.standing = { ...this.standing, status, phase, failedPhase: null };
  }

  end(success: boolean): void {
    const { phase } = this.standing;
    if (!phase) return;
    const status = success ? phaseNamed[phase].success : phaseNamed[phase].failure;
    this.standing = { ...this.standing, status, failedPhase: success ? null : phase };
  }

  get isRunning(): boolean {
    return this.standing.status === 'running' || this.standing.status === 'aborting';
  }
}

const standing = (status: Status, more: Partial<Standing> = {}): Standing => ({
  status,
  phase: null,
  failedPhase: null,
  switchedAt: null,
  ...more,
});

describe('what may be asked of a migration', () => {
  it.each([
    ['preflight', 'preflight-error', 'start'],
    ['preflight', 'created', 'nothing-to-do'],
    ['preflight', 'preflight-success', 'nothing-to-do'],
    ['preflight', 'prepared', 'refused'],
    ['prepare', 'preflight-success', 'start'],
    ['prepare', 'preflight-error', 'refused'],
    ['prepare', 'created', 'refused'],
    ['data', 'prepared', 'start'],
    ['data', 'preflight-success', 'refused'],
    ['finalize', 'prepared', 'start'],
    ['finalize', 'data-migrated', 'start'],
    ['finalize', 'done', 'refused'],
    ['abort', 'created', 'start'],
    ['abort', 'running', 'start'],
    ['abort', 'error', 'start'],
    ['abort', 'aborting', 'nothing-to-do'],
    ['abort', 'aborted', 'nothing-to-do'],
    ['abort', 'done', 'refused'],
  ] as const)('%s from %s: %s', (phase, status, verdict) => {
    expect(judge(standing(status), phase)).toBe(verdict);
  });

  it('lets clients ask for the preflight that runs already', () => {
    expect(judge(standing('running', { phase: 'preflight' }), 'preflight')).toBe('nothing-to-do');
    expect(judge(standing('running', { phase: 'data' }), 'preflight')).toBe('refused');
  });

  it('runs the failed phase again, and no other', () => {
    const failed = standing('error', { phase: 'data', failedPhase: 'data' });
    expect(possiblePhases(failed)).toEqual(['data', 'abort']);
  });

  it('does not abort once the destination serves', () => {
    const switched = standing('running', { phase: 'finalize', switchedAt: new Date() });
    expect(judge(switched, 'abort')).toBe('refused');
  });

  it('keeps its promises whatever is asked in whatever order', () => {
    const move = fc.oneof(
      fc.record({ ask: fc.constantFrom(...phases) }),
      fc.record({ success: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        const model = new Model();
        const succeeded = new Set<PhaseName>();
        for (const step of moves) {
          const before = model.standing;
          if ('ask' in step) {
            if (judge(before, step.ask) !== 'start') continue;
            expect(closedStatuses).not.toContain(before.status);
            if (step.ask !== 'abort') expect(model.isRunning).toBe(false);
            if (step.ask === 'prepare') expect(succeeded).toContain('preflight');
            if (step.ask === 'data' || step.ask === 'finalize') {
              expect(succeeded).toContain('prepare');
            }
            model.begin(step.ask);
          } else if (model.isRunning) {
            model.end(step.success);
            if (step.success && before.phase) succeeded.add(before.phase);
          }
          expect(statuses).toContain(model.standing.status);
          const open = !closedStatuses.includes(model.standing.status);
          const abortable = judge(model.standing, 'abort') !== 'refused';
          if (open) expect(abortable).toBe(true);
        }
      }),
    );
  });
});
