import { describe, expect, it } from 'vitest';
import { nextRate } from '../../../src/agent/pressure/copy-rate.js';
import { HostPressure, type Sight, Suffering } from '../../../src/agent/pressure/pressure.js';

/** Looks once a second at a host that has 100 requests in each. */
class Host {
  readonly #suffering = new Suffering();
  #seen: Sight = { at: 0, answered: 0, took: 0, stalled: [0, 0] };

  /** @param each how long a request takes; `stalled` for how long a processor was waited for */
  second({ each = 10, stalled = 0, requests = 100 } = {}): boolean | null {
    const { at, answered, took, stalled: before } = this.#seen;
    this.#seen = {
      at: at + 1_000,
      answered: answered + requests,
      took: took + requests * each,
      stalled: [(before[0] ?? 0) + stalled, 0],
    };
    return this.#suffering.judge(this.#seen);
  }

  seconds(count: number, how: Parameters<Host['second']>[0] = {}): (boolean | null)[] {
    return Array.from({ length: count }, () => this.second(how));
  }
}

describe('apps', () => {
  it('suffer when their requests take longer than usual, on a host that is under pressure', () => {
    const host = new Host();
    expect(host.second()).toBeNull(); // there is nothing to compare with
    expect(host.seconds(90)).toEqual(Array(90).fill(false));
    expect(host.seconds(30, { each: 20, stalled: 300 })).toEqual(Array(30).fill(true));
    expect(host.second()).toBe(false);
  });

  it('do not when only a copy waits, or when they are slow by themselves', () => {
    const host = new Host();
    host.seconds(90);
    expect(host.second({ stalled: 900 })).toBe(false);
    expect(host.second({ each: 50 })).toBe(false);
  });

  it('do not when nobody asks for them; a few requests are waited for', () => {
    const host = new Host();
    host.seconds(90);
    const few = { requests: 0, stalled: 900 };
    expect(host.seconds(10, few)).toEqual([...Array(9).fill(null), false]);
  });

  it('get used to what lasts for ten minutes', () => {
    const host = new Host();
    host.seconds(90);
    const slow = { each: 20, stalled: 300 };
    host.seconds(590, slow);
    expect(host.second(slow)).toBe(false);
  });
});

it('tells of a host for how long something has waited', async () => {
  const host = new HostPressure();
  const [before, after] = [await host.stalled(), await host.stalled()];
  for (const [at, total] of before.entries()) expect(after[at]).toBeGreaterThanOrEqual(total);
});

describe('the rate of copies', () => {
  const rates = (suffers: boolean | null, looks: number, from: number | null) => {
    const all: (number | null)[] = [from];
    for (let look = 0; look < looks; look++) all.push(nextRate(all.at(-1) ?? null, suffers));
    return all;
  };
  const [slowest, fastest] = [4 * 1024 * 1024, 256 * 1024 * 1024];

  it('is halved while apps suffer, and never nothing', () => {
    const all = rates(true, 20, null);
    expect(all.slice(1, 4)).toEqual([fastest, fastest / 2, fastest / 4]);
    expect(all.at(-1)).toBe(slowest);
  });

  it('grows until there is no limit once they do not, and stays while nobody knows', () => {
    const all = rates(false, 20, slowest);
    expect(all.at(-1)).toBeNull();
    expect(all.slice(0, 5)).toEqual([...all.slice(0, 5)].sort((a, b) => (a ?? 0) - (b ?? 0)));
    expect(rates(null, 3, slowest)).toEqual(Array(4).fill(slowest));
  });
});
