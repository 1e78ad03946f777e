import { expect, it } from 'vitest';
import { sideBySide } from '../../src/migration/side-by-side.js';
import { Refusal } from '../../src/shared/errors.js';

it('comes to the end with each, whatever becomes of the others, and tells of all that failed', async () => {
  expect(await sideBySide([1, 2, 3], async (one) => one * 2)).toEqual([2, 4, 6]);
  const ended: number[] = [];
  const failing = (bad: readonly number[]) =>
    sideBySide([1, 2, 3], async (one) => {
      if (bad.includes(one)) throw Refusal.conflict('role', `${one} does not.`);
      await new Promise((resolve) => setImmediate(resolve));
      ended.push(one);
    });
  await expect(failing([1])).rejects.toThrow(Refusal);
  expect(ended).toEqual([2, 3]);
  await expect(failing([1, 3])).rejects.toThrow('1 does not. 3 does not.');
  expect(ended).toEqual([2, 3, 2]);
});
