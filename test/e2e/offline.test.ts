import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../src/shared/until.js';
import { InfluxdbClient } from '../agent/databases/influxdb-client.js';
import { describeSteps, inventory, Stage, type TestApp } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

/** Counts in InfluxDB, and in PostgreSQL how far InfluxDB said that it had that. */
const meter = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { pool } from './db.js';
  const url = new URL(process.env.INFLUX_URL);
  const login = Buffer.from(url.username + ':' + url.password).toString('base64');
  process.on('SIGTERM', () => process.exit(0));
  await pool.query('CREATE TABLE IF NOT EXISTS metered (n bigint PRIMARY KEY)');
  const { rows } = await pool.query('SELECT coalesce(max(n), 0) AS n FROM metered');
  for (let n = Number(rows[0].n) + 1; ; n += 1) {
    const answer = await fetch(url.origin + '/write?db=' + url.pathname.slice(1), {
      method: 'POST',
      headers: { authorization: 'Basic ' + login },
      body: 'metered n=' + n + 'i ' + n,
    });
    if (answer.status !== 204) throw new Error(await answer.text());
    await pool.query('INSERT INTO metered VALUES ($1)', [n]);
    await sleep(20);
  }`;

/** What was acknowledged, of what a region's InfluxDB should have, and what of it that has not. */
async function metered(app: TestApp, region = stage.source.name) {
  const rows = await app.query<{ n: string }>('SELECT n FROM metered ORDER BY n', region);
  const variables = await stage.client(region).variables(app.name);
  const url = variables.find(({ name }) => name === 'INFLUX_URL')?.value ?? '';
  const [found] = await new InfluxdbClient(url).query('SELECT n FROM metered');
  const there = new Set(found?.values.map(([, n]) => n));
  return { count: rows.length, lost: rows.filter(({ n }) => !there.has(n)) };
}

it('moves an app with a database that cannot be followed, and brings it back, without losing a write', async () => {
  const app = await stage.deployBirdLog('metering', { rows: 200 });
  const before = await inventory(stage, stage.destination.name);
  await app.client.addAddon('metering', { product: 'influxdb', plan: 'influxdb-sandbox' });
  const Procfile = 'web: node web.js\nworker: node worker.js\nmeter: node meter.js\n';
  await app.deploy({ Procfile, 'meter.js': meter });
  await app.client.scale('metering', { meter: 1 });
  const traffic = app.traffic();
  traffic.start();

  const id = await app.createMigration();
  const done = await app.runTo(id, 'finalize');
  const said = describeSteps(done);
  expect(said).toMatch(/influxdb 1\.\d, plan influxdb-sandbox, .*: moves offline: what does not/);
  expect(said).toMatch(/influxdb: .* are copied while the app is stopped, which takes about/);
  expect(said).toMatch(/Expected downtime: none\. Requests wait about .*, and the copy of what/);
  expect(said).toMatch(/influxdb 1\.\d is copied as far as it can be, .*when the app has stopped/);
  expect(said).toMatch(/Meanwhile, .* are copied that could not be before/);
  expect(said).toMatch(/influxdb on .* keeps what it had; a rollback copies what has been written/);
  const copied = done.steps.find(({ name }) => name.startsWith('Copy the databases'));
  expect(copied?.progress?.databases.map(({ name }) => name).sort()).toEqual([
    'influxdb',
    'postgresql',
  ]);
  const moved = await metered(app, stage.destination.name);
  expect(moved.count).toBeGreaterThan(0);
  expect(moved.lost).toEqual([]);

  const rolledBack = await app.run(id, 'rollback');
  expect(rolledBack, describeSteps(rolledBack)).toMatchObject({ status: 'rolled-back' });
  const back = await metered(app);
  expect(back.count).toBeGreaterThan(moved.count);
  expect(back.lost).toEqual([]);
  expect((await traffic.stop()).failures).toEqual([]);
  expect(await inventory(stage, stage.destination.name)).toEqual(before);

  // Once more, with what copies dying while it does.
  const next = await app.createMigration();
  await app.runTo(next, 'data');
  await app.client.runMigration('metering', next, 'finalize');
  await until(
    async () => {
      const { steps } = await app.client.migration('metering', next);
      return steps.some(({ name }) => name === 'Switch the databases');
    },
    { timeout: 30_000, every: 5, what: 'the switch' },
  );
  await stage.kill(stage.destination.name);
  await stage.kill(stage.source.name);
  const again = await app.settled(next);
  expect(again, describeSteps(again)).toMatchObject({ status: 'done' });
  const last = await metered(app, stage.destination.name);
  expect(last.count).toBeGreaterThan(back.count);
  expect(last.lost).toEqual([]);
}, 120_000);
