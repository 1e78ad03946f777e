import { expect, it } from 'vitest';
import { Turnstile } from '../../../src/agent/edge/turnstile.js';

const target = { host: '127.0.0.1', port: 1 };
const settled = () => new Promise((resolve) => setImmediate(resolve));

it('lets so many connect to a target at a time, in order, whatever goes on at others', async () => {
  const turnstile = new Turnstile();
  const order: number[] = [];
  const turns = Array.from({ length: 70 }, async (_, at) => {
    const turn = await turnstile.turn(target);
    order.push(at);
    return turn;
  });
  await settled();
  expect(order).toEqual(Array.from({ length: 64 }, (_, at) => at));
  expect(turnstile.isOpen(target)).toBe(false);
  expect(turnstile.isOpen({ ...target, port: 2 })).toBe(true);
  const first = await turns[0];
  first?.settle(true);
  first?.settle(false); // a second time: nobody is let in for it
  await settled();
  expect(order.slice(64)).toEqual([64]);
  for (const turn of turns) void turn.then(({ settle }) => settle(false));
  await Promise.all(turns);
  expect(order).toEqual(Array.from({ length: 70 }, (_, at) => at));
  expect(turnstile.isOpen(target)).toBe(true);
});

it('tells how long nobody reached the target', async () => {
  const turnstile = new Turnstile();
  const taken = await Promise.all(Array.from({ length: 64 }, () => turnstile.turn(target)));
  expect(taken.every(({ stalled }) => stalled < 1_000)).toBe(true);
  const waiting = turnstile.turn(target);
  const begun = performance.now();
  while (performance.now() - begun < 20) await settled();
  taken[0]?.settle(false);
  expect((await waiting).stalled).toBeGreaterThanOrEqual(20);
  const another = turnstile.turn(target);
  while (performance.now() - begun < 60) await settled();
  const before = performance.now();
  taken[1]?.settle(true);
  expect((await another).stalled).toBeLessThanOrEqual(performance.now() - before);
});
