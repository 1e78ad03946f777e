import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PhaseName } from '../../src/migration/migration.js';
import { until } from '../../src/shared/until.js';
import { someOf } from '../faults.js';
import { describeSteps, inventory, Stage, type TestApp } from './stage.js';

let stage: Stage;
let app: TestApp;
beforeAll(async () => {
  stage = await Stage.start();
  // In the destination it takes its time to start, so that an abort always comes in time.
  const slow = `if (process.cwd().includes('${stage.destination.name}')) {
      await new Promise((resolve) => setTimeout(resolve, 2_000));
    }
    await import('./web.js');`;
  const files = { 'start.js': slow, Procfile: 'web: node start.js\nworker: node worker.js\n' };
  app = await stage.deployBirdLog('stayer', { files });
});
afterAll(() => stage.remove());

/** All of a migration that there could be in either region. */
async function traces() {
  const [{ slots, roles } = {}] = await app.query<{ slots: string; roles: string }>(
    `SELECT (SELECT count(*) FROM pg_replication_slots) AS slots,
            (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit\\_follow%') AS roles`,
  );
  const [database] = (await inventory(stage, stage.source.name)).databases;
  const folder = join(stage.dir, 'regions', stage.source.name, 'databases', database ?? '', 'data');
  const record = await readFile(
    join(stage.dir, 'regions', stage.source.name, 'apps', app.id, 'app.json'),
    'utf8',
  );
  return {
    source: await inventory(stage, stage.source.name),
    destination: await inventory(stage, stage.destination.name),
    slots,
    roles,
    rules: (await readFile(join(folder, 'pg_hba.conf'), 'utf8')).includes('replication'),
    app: { ...JSON.parse(record), updatedAt: '', buildGrants: [] },
    rows: await app.stats(),
  };
}

async function startedStep(id: string, phase: PhaseName, name: RegExp): Promise<void> {
  await until(
    async () => {
      const { status, steps } = await app.client.migration('stayer', id);
      if (status !== 'running') return true; // faster than we looked
      return steps.some((step) => step.phase === phase && name.test(step.name));
    },
    { timeout: 30_000, every: 5, what: `${phase} to come to ${name}` },
  );
}

describe('aborting leaves nothing, and the source as it was', () => {
  it.each(someOf(['preflight', 'prepare', 'data'] as const, 1))('after %s', async (phase) => {
    const before = await traces();
    const id = await app.createMigration();
    await app.runTo(id, phase);
    const aborted = await app.run(id, 'abort');
    expect(aborted, describeSteps(aborted)).toMatchObject({ status: 'aborted', new_app_id: null });
    expect(await traces()).toEqual(before);
  });

  it('right after it was created', async () => {
    const before = await traces();
    const id = await app.createMigration();
    await app.client.runMigration('stayer', id, 'abort');
    expect(await app.settled(id)).toMatchObject({ status: 'aborted' });
    expect(await traces()).toEqual(before);
  });

  const moments: readonly { phase: 'prepare' | 'data' | 'finalize'; step: RegExp }[] = [
    { phase: 'prepare', step: /Import/ },
    { phase: 'data', step: /Provision/ },
    { phase: 'data', step: /Copy/ },
    { phase: 'finalize', step: /Switch/ },
    { phase: 'finalize', step: /Start/ },
  ];
  it.each(someOf(moments, 2))('in the middle of $phase, at $step', async ({ phase, step }) => {
    const before = await traces();
    const id = await app.createMigration();
    const earlier = { prepare: 'preflight', data: 'prepare', finalize: 'data' } as const;
    await app.runTo(id, earlier[phase]);
    await app.client.runMigration('stayer', id, phase);
    await startedStep(id, phase, step);
    await app.client.runMigration('stayer', id, 'abort');
    const aborted = await app.settled(id);
    expect(aborted, describeSteps(aborted)).toMatchObject({ status: 'aborted' });
    expect(await traces()).toEqual(before);
  });
});
