import { expect, it } from 'vitest';
import { bar, chart } from '../../src/cli/chart.js';

it('draws columns from nothing to the highest', () => {
  expect(chart([0, 1, 50, 100, 2_000], 2)).toEqual(['2,000 ┤    █', '    0 ┤ ▁▁▁█']);
  expect(chart([], 2)).toEqual(['1 ┤', '0 ┤']);
});

it('draws bars', () => {
  expect(bar(1, 4, 8)).toBe('██');
  expect(bar(0, 0, 8)).toBe('');
});
