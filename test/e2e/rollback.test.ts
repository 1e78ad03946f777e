import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareDatabases, lostWrites } from '../../src/dev/demo/check.js';
import { parts } from '../../src/migration/switch/record.js';
import { describeSteps, inventory, Stage } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

it('comes back with every write, whoever asks where, and can leave again', async () => {
  const app = await stage.deployBirdLog('returner', { prewarm: true });
  const before = await inventory(stage, stage.destination.name);
  const traffic = app.traffic();
  traffic.start();
  const id = await app.createMigration();
  await app.runTo(id, 'finalize');
  const there = app.traffic({ at: stage.destination, group: 'there' });
  there.start();
  const rolledBack = await app.run(id, 'rollback');
  expect(rolledBack, describeSteps(rolledBack)).toMatchObject({
    ...{ status: 'rolled-back', failed_phase: null, new_app_id: null },
  });
  expect(await inventory(stage, stage.destination.name)).toEqual(before);
  expect((await app.client.app('returner')).status).toBe('running');

  expect(describeSteps(rolledBack).match(/They run, and take requests/g)).toHaveLength(2);
  const { switches } = await app.client.migrationReport('returner', id);
  expect(switches.map(({ phase }) => phase)).toEqual(['finalize', 'rollback']);
  for (const { hold, parts: found, held, longest_wait, traffic: seconds } of switches) {
    expect(found.map(({ part }) => part)).toEqual(parts);
    expect(found.reduce((sum, { took }) => sum + took, 0)).toBe(hold);
    expect(held).toBeGreaterThan(0);
    expect(longest_wait).toBeLessThanOrEqual(hold ?? 0);
    expect(seconds.length).toBeGreaterThan(1);
    expect(seconds.reduce((sum, { failed }) => sum + failed, 0)).toBe(0);
  }

  // Changed, migrated again, and completed.
  await app.client.setVariables('returner', { BACK: 'again' });
  const next = await app.createMigration();
  await app.runTo(next, 'finalize');
  const reports = [await traffic.stop(), await there.stop()];
  expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
  const acknowledged = reports.flatMap((report) => report.acknowledged);
  const {
    source,
    destination,
    lostWrites: lost,
  } = await compareDatabases(
    {
      source: await app.databaseUrl(),
      destination: await app.databaseUrl(stage.destination.name),
    },
    { acknowledged },
  );
  expect(lost).toBe(0);
  expect(source).toEqual(destination);

  const completed = await app.run(next, 'complete');
  expect(completed, describeSteps(completed)).toMatchObject({ status: 'done' });
  expect(completed.completed_at).not.toBeNull();
  expect((await app.ask('/')).status).toBe(404);
  const file = join(stage.dir, 'regions', stage.source.name, 'apps', app.id, 'app.json');
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ forwardToken: null });
  await app.client.setVariables('returner', { BACK: 'and changed' });
  const left = await app.query<{ count: string }>(
    "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit_follow%'",
    stage.destination.name,
  );
  expect(left[0]?.count).toBe('0');
}, 180_000);

it('goes on serving there when the source does not start again, and can be left at that', async () => {
  const mark = join(stage.dir, 'broken');
  const start = `import { existsSync } from 'node:fs';
    const isSource = process.cwd().includes('${stage.source.name}');
    if (isSource && existsSync('${mark}')) throw new Error('broken on purpose');
    await import('./web.js');`;
  const files = { 'start.js': start, Procfile: 'web: node start.js\nworker: node worker.js\n' };
  const app = await stage.deployBirdLog('hesitant', { files, rows: 200, prewarm: true });
  const id = await app.createMigration();
  await app.runTo(id, 'finalize');
  const traffic = app.traffic();
  traffic.start();
  await writeFile(mark, '');
  const failed = await app.run(id, 'rollback');
  expect(failed, describeSteps(failed)).toMatchObject({
    status: 'error',
    failed_phase: 'rollback',
  });
  expect(describeSteps(failed)).toMatch(/broken on purpose/);
  expect(describeSteps(failed)).toMatch(/They do not start while their databases only read/);
  await expect(app.client.runMigration('hesitant', id, 'abort')).rejects.toMatchObject({
    status: 409,
  });
  // It may be left at that.
  const report = await traffic.stop();
  expect(report.failures).toEqual([]);
  const there = await app.databaseUrl(stage.destination.name);
  expect(await lostWrites(there, report)).toBe(0);
  const completed = await app.run(id, 'complete');
  expect(completed, describeSteps(completed)).toMatchObject({ status: 'done' });
  expect(describeSteps(completed)).toMatch(/had no whole copy when this ended/);
}, 180_000);
