import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { Turns } from '../../src/agent/turns.js';

it('what is heard after something of a later turn is refused, of the same migration only', () => {
  const turns = new Turns();
  const [mine, other] = [randomUUID(), randomUUID()];
  for (const turn of [2, 2, 3, 3]) turns.take(mine, turn);
  expect(() => turns.take(mine, 2)).toThrow(/came too late/);
  turns.take(mine, 3);
  turns.take(other, 2);
});
