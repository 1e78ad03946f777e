import { once } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Pulse, Silence } from '../../src/region/pulse.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const pace = { every: 1_000, patience: 10 };

it('lets work take its time while there are answers, and ends it when there is none', async () => {
  let isThere = true;
  const pulse = new Pulse(async (signal) => {
    if (!isThere) throw await once(signal, 'abort');
  }, pace);
  let end: unknown = null;
  const work = pulse.during(async (signal) => {
    await once(signal, 'abort');
    end = signal.reason;
  });
  await vi.advanceTimersByTimeAsync(100_000);
  expect(end).toBeNull();
  isThere = false;
  await vi.advanceTimersByTimeAsync(1_000);
  await work;
  expect(end).toBeInstanceOf(Silence);
});

it('asks nobody once nothing is waited for', async () => {
  const pulse = new Pulse(async () => undefined, pace);
  await pulse.during(async () => undefined);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(vi.getTimerCount()).toBe(0);
});
