import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Outage } from '../../src/region/outage.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('lasts for as long as nobody is reached, however long it takes to find that out', () => {
  const outage = new Outage();
  expect(outage.missed()).toBe(0);
  // No connection within 5 seconds, and half of one before it is tried again.
  for (const lasts of [5_500, 11_000, 16_500]) {
    vi.advanceTimersByTime(5_500);
    expect(outage.missed()).toBe(lasts);
  }
  outage.over();
  expect(outage.missed()).toBe(0);
});
