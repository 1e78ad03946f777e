import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lostWrites } from '../../../src/dev/demo/check.js';
import type { PhaseName } from '../../../src/migration/migration.js';
import { until } from '../../../src/shared/until.js';
import { someOf } from '../../faults.js';
import { describeSteps, inventory, Stage, type TestApp } from '../stage.js';

type Victim = 'server' | 'source' | 'destination';

let stage: Stage;
let app: TestApp;
beforeAll(async () => {
  stage = await Stage.start();
  app = await stage.deployBirdLog('mortal', { rows: 500 });
});
afterAll(() => stage.remove());

const processOf = (victim: Victim) => (victim === 'server' ? 'server' : stage[victim].name);

/** Kills a process as soon as a phase has come to a step. */
async function killAt(id: string, phase: PhaseName, step: RegExp, victim: Victim) {
  await until(
    async () => {
      const { steps } = await app.client.migration(app.name, id);
      return steps.some((one) => one.phase === phase && step.test(one.name));
    },
    { timeout: 30_000, every: 10, what: `${phase} to come to ${step}` },
  );
  await stage.kill(processOf(victim));
}

const success = {
  preflight: 'preflight-success',
  prepare: 'prepared',
  data: 'data-migrated',
  abort: 'aborted',
} as const;

const victims: readonly Victim[] = ['server', 'source', 'destination'];
const switches: readonly { victim: Victim; step: RegExp }[] = [
  { victim: 'server', step: /Switch/ },
  { victim: 'server', step: /Redirect/ },
  { victim: 'source', step: /Hold/ },
  { victim: 'destination', step: /Start/ },
];

describe('a death is no more than a pause', () => {
  it.each(someOf(victims, 1))(
    'of the %s, in preflight, prepare, data and abort',
    async (victim) => {
      const id = await app.createMigration();
      await stage.kill(processOf(victim));
      expect(await app.settled(id)).toMatchObject({ status: success.preflight });
      for (const [phase, step] of [
        ['prepare', /Import/],
        ['data', /Copy/],
        ['abort', /Unfreeze|Release/],
      ] as const) {
        await app.client.runMigration(app.name, id, phase);
        await killAt(id, phase, step, victim);
        const ended = await app.settled(id);
        expect(ended, describeSteps(ended)).toMatchObject({ status: success[phase] });
      }
      expect(await inventory(stage, stage.source.name)).toMatchObject({
        processes: expect.arrayContaining([`${app.id} web-1`, `${app.id} web-2`]),
      });
      const twins = await stage.client(stage.destination.name).apps();
      expect(twins.filter(({ name }) => name === app.name)).toEqual([]);
    },
  );

  it.each(someOf(switches, 1))(
    'of the $victim, in finalize and rollback, at $step',
    async ({ victim, step }) => {
      const id = await app.createMigration();
      await app.runTo(id, 'data');
      const traffic = app.traffic({ group: `${victim}-${step.source}` });
      traffic.start();
      await app.client.runMigration(app.name, id, 'finalize');
      await killAt(id, 'finalize', step, victim);
      const done = await app.settled(id);
      expect(done, describeSteps(done)).toMatchObject({ status: 'done' });
      await app.client.runMigration(app.name, id, 'rollback');
      await killAt(id, 'rollback', step, victim);
      const back = await app.settled(id);
      expect(back, describeSteps(back)).toMatchObject({ status: 'rolled-back' });
      const report = await traffic.stop();
      // Who kills an edge breaks the connections to it; the control plane is in nobody's way.
      if (victim === 'server') expect(report.failures).toEqual([]);
      expect(await lostWrites(await app.databaseUrl(), report)).toBe(0);
      expect(await stage.client(stage.destination.name).apps()).toEqual([]);
    },
  );
});
