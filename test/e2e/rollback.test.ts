import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareDatabases } from '../../src/dev/demo/check.js';
import { Traffic } from '../../src/dev/demo/traffic.js';
import { describeSteps, inventory, Stage } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

it('comes back with every write, whoever asks where, and can leave again', async () => {
  const app = await stage.deployBirdLog('returner');
  const before = await inventory(stage, stage.destination.name);
  const traffic = new Traffic(stage.source.edge, `returner.${stage.source.name}.localhost`);
  traffic.start();
  const id = await app.createMigration();
  await app.runTo(id, 'finalize');
  const there = new Traffic(
    stage.destination.edge,
    `returner.${stage.destination.name}.localhost`,
    'there',
  );
  there.start();
  const rolledBack = await app.run(id, 'rollback');
  expect(rolledBack, describeSteps(rolledBack)).toMatchObject({
    ...{ status: 'rolled-back', failed_phase: null, new_app_id: null },
  });
  expect(await inventory(stage, stage.destination.name)).toEqual(before);
  expect((await app.client.app('returner')).status).toBe('running');

  // Changed, migrated again, and completed.
  await app.client.setVariables('returner', { BACK: 'again' });
  const next = await app.createMigration();
  await app.runTo(next, 'finalize');
  const reports = [await traffic.stop(), await there.stop()];
  expect(reports.flatMap(({ failures }) => failures)).toEqual([]);
  const acknowledged = reports.flatMap((report) => report.acknowledged);
  const { source, destination, lostWrites } = await compareDatabases(
    {
      source: await app.databaseUrl(),
      destination: await app.databaseUrl(stage.destination.name),
    },
    { acknowledged },
  );
  expect(lostWrites).toBe(0);
  expect(source).toEqual(destination);

  const completed = await app.run(next, 'complete');
  expect(completed, describeSteps(completed)).toMatchObject({ status: 'done' });
  expect(completed.completed_at).not.toBeNull();
  expect((await app.ask('/')).status).toBe(404);
  await app.client.setVariables('returner', { BACK: 'and changed' });
  const left = await app.query<{ count: string }>(
    "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit_follow%'",
    stage.destination.name,
  );
  expect(left[0]?.count).toBe('0');
}, 180_000);
