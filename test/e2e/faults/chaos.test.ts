import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { lineOf } from '../../chaos/in-words.js';
import { products } from '../../chaos/plan.js';
import { ChaosRun } from '../../chaos/run.js';
import { World } from '../../chaos/world.js';
import { createDatabase } from '../../database.js';

let world: World;
beforeAll(async () => {
  world = await World.make(await createDatabase(), join(inject('examples'), 'ledger'), products);
});
afterAll(() => world?.close());

it('loses nothing, whoever dies when: one run, another each time', async () => {
  const seed = Math.floor(Math.random() * 1_000_000);
  const report = await new ChaosRun(world, seed).perform();
  expect(report.findings, lineOf(report).join('\n')).toEqual([]);
}, 300_000);
