import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  closedStatuses,
  isFollowed,
  judge,
  type PhaseName,
  phases,
  possiblePhases,
  type Standing,
  type Status,
  statuses,
} from '../../src/migration/migration.js';
import { phaseNamed } from '../../src/migration/phases.js';

const later = new Date(Date.now() + 3_600_000);

const standing = (status: Status, more: Partial<Standing> = {}): Standing => ({
  ...{ status, phase: null, failedPhase: null },
  ...{ switchedAt: null, windowClosesAt: null, completedAt: null },
  ...more,
});

/** A migration as the state machine sees it, with what the engine does to it when a run begins and ends. */
class Model {
  standing: Standing = standing('created');

  begin(phase: PhaseName): void {
    const status = phase === 'abort' ? 'aborting' : 'running';
    this.standing = { ...this.standing, status, phase, failedPhase: null };
  }

  end(success: boolean): void {
    const { phase } = this.standing;
    if (!phase) return;
    const status = success ? phaseNamed[phase].success : phaseNamed[phase].failure;
    this.standing = { ...this.standing, status, failedPhase: success ? null : phase };
    if (!success) return;
    if (phase === 'finalize') {
      this.standing = { ...this.standing, switchedAt: new Date(), windowClosesAt: later };
    }
    if (phase === 'complete') this.standing = { ...this.standing, completedAt: new Date() };
  }

  get isRunning(): boolean {
    return this.standing.status === 'running' || this.standing.status === 'aborting';
  }
}

describe('databases that can be compared', () => {
  const open = { windowClosesAt: later };
  it.each<[boolean, Status, Partial<Standing>]>([
    [true, 'data-migrated', {}],
    [true, 'done', open],
    [true, 'error', { ...open, failedPhase: 'rollback' }],
    [false, 'prepared', {}],
    [false, 'running', { phase: 'data' }],
    [false, 'error', { failedPhase: 'data' }],
    [false, 'done', { windowClosesAt: new Date(0) }],
    [false, 'done', { ...open, completedAt: new Date() }],
    [false, 'aborted', {}],
  ])('are there: %s, when it is %s', (expected, status, more) => {
    expect(isFollowed(standing(status, more))).toBe(expected);
  });
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

  it('rolls back within the window, and completes once', () => {
    const done = standing('done', { switchedAt: new Date(), windowClosesAt: later });
    expect(possiblePhases(done)).toEqual(['rollback', 'complete']);
    expect(possiblePhases({ ...done, windowClosesAt: new Date(0) })).toEqual(['complete']);
    const completed = { ...done, completedAt: new Date() };
    expect(possiblePhases(completed)).toEqual([]);
    expect(judge(completed, 'complete')).toBe('nothing-to-do');
    const failed = { ...done, status: 'error' as const, failedPhase: 'rollback' as const };
    expect(possiblePhases(failed)).toEqual(['rollback', 'complete']);
    expect(possiblePhases(standing('rolled-back'))).toEqual([]);
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
            const after: readonly PhaseName[] = ['rollback', 'complete'];
            if (!after.includes(step.ask)) expect(closedStatuses).not.toContain(before.status);
            else expect(succeeded).toContain('finalize');
            if (step.ask === 'rollback') expect(succeeded).not.toContain('complete');
            expect(before.status).not.toBe('rolled-back');
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
          if (open) expect(abortable).toBe(model.standing.switchedAt === null);
          // Whoever is not at rest for good can always go on.
          if (open && !model.isRunning) expect(possiblePhases(model.standing)).not.toEqual([]);
        }
      }),
    );
  });
});
