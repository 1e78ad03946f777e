import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lostWrites } from '../../src/dev/demo/check.js';
import { findBinaries } from '../../src/postgresql/binaries.js';
import { describeSteps, inventory, Stage } from './stage.js';

const majors = (await findBinaries()).map(({ major }) => major);
const [newest = '', older] = majors;

describe.skipIf(older === undefined)('a migration with an upgrade', () => {
  let stage: Stage;
  beforeAll(async () => {
    stage = await Stage.start();
  });
  afterAll(() => stage.remove());

  it('takes the databases to another major and back, with every write', async () => {
    const app = await stage.deployBirdLog('grower', { version: older ?? '' });
    const before = await inventory(stage, stage.destination.name);
    const [version] = await app.query<{ server_version: string }>('SHOW server_version');
    expect(version?.server_version).toMatch(new RegExp(`^${older}\\.`));

    const hopeless = await app.settled(
      await app.createMigration('', { postgresql: '9', redis: '7' }),
    );
    expect(hopeless.status).toBe('preflight-error');
    expect(describeSteps(hopeless)).toMatch(/lacks postgresql 9/);
    expect(describeSteps(hopeless)).toMatch(/cannot become 9, which is older/);
    expect(describeSteps(hopeless)).toMatch(/has no redis that could be upgraded/);
    await app.run(hopeless.id, 'abort');

    const traffic = app.traffic();
    traffic.start();
    const id = await app.createMigration('', { postgresql: newest });
    const looked = await app.settled(id);
    expect(looked.upgrade).toEqual({ postgresql: newest });
    expect(describeSteps(looked)).toContain(`It becomes PostgreSQL ${newest}`);
    const done = await app.runTo(id, 'finalize');
    expect(describeSteps(done)).toMatch(/postgresql \d+: [\d,]+ rows, .* compared\./);
    const [moved] = await app.query<{ server_version: string }>(
      'SHOW server_version',
      stage.destination.name,
    );
    expect(moved?.server_version).toMatch(new RegExp(`^${newest}\\.`));

    const rolledBack = await app.run(id, 'rollback');
    expect(rolledBack, describeSteps(rolledBack)).toMatchObject({ status: 'rolled-back' });
    const report = await traffic.stop();
    expect(report.failures).toEqual([]);
    expect(await lostWrites(await app.databaseUrl(), report)).toBe(0);
    expect(await inventory(stage, stage.destination.name)).toEqual(before);
    await app.query('CREATE TABLE afterwards (id int)');
    const [left] = await app.query<{ left: string }>(
      `SELECT (SELECT count(*) FROM pg_replication_slots) + (SELECT count(*) FROM pg_publication)
            + (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'godwit\\_follow%') AS left`,
    );
    expect(left?.left).toBe('0');
  }, 180_000);
});
