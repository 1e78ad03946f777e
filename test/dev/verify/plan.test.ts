import { expect, it } from 'vitest';
import { readPlan } from '../../../src/dev/verify/plan.js';

it('reads plans, and refuses those that cannot be', () => {
  expect(readPlan('migrate, rollback,abort,migrate')).toEqual([
    'migrate',
    'rollback',
    'abort',
    'migrate',
  ]);
  expect(() => readPlan('rollback')).toThrow('nothing to roll back');
  expect(() => readPlan('migrate,migrate')).toThrow('comes a rollback');
  expect(() => readPlan('move')).toThrow('"move" is none of');
});
