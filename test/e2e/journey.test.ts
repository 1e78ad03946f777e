import { readFile, rm, writeFile } from 'node:fs/promises';
import { request } from 'undici';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { compareDatabases } from '../../src/dev/demo/check.js';
import { findBinaries } from '../../src/postgresql/binaries.js';
import { until } from '../../src/shared/until.js';
import { describeSteps, inventory, Stage } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start({ alone: true });
});
afterAll(() => stage.remove());

const documented = [
  'id',
  'src_app_name',
  'dst_app_name',
  'app_id',
  'new_app_id',
  'status',
  'started_at',
  'finished_at',
  'source',
  'destination',
  'steps',
];

it('moves an application: no request fails, no write is lost', async () => {
  const app = await stage.deployBirdLog('mover');
  const traffic = app.traffic();
  traffic.start();
  const id = await app.createMigration();
  const done = await app.runTo(id, 'finalize');
  expect(done).toMatchObject({ status: 'done', dst_app_name: 'mover', source: stage.source.name });
  const report = await traffic.stop();
  expect(report.failures).toEqual([]);
  const urls = {
    source: await app.databaseUrl(),
    destination: await app.databaseUrl(stage.destination.name),
  };
  const { source, destination, lostWrites } = await compareDatabases(urls, report);
  expect(lostWrites).toBe(0);
  expect(source).toEqual(destination);
  expect(await app.stats()).toEqual(await app.stats(stage.destination));
  await expect(app.client.runMigration('mover', id, 'abort')).rejects.toMatchObject({
    status: 409,
  });

  // As the documentation asks for it.
  const answer = await request(`${stage.source.api}/v1/apps/mover/region_migrations`, {
    headers: {
      accept: 'application/json',
      'content-type': 'application/json',
      authorization: `Basic ${Buffer.from(`:${stage.ready.token}`).toString('base64')}`,
    },
  });
  const [listed] = z.array(z.record(z.string(), z.unknown())).parse(await answer.body.json());
  expect(Object.keys(listed ?? {})).toEqual(expect.arrayContaining(documented));
  expect(listed?.['steps']).toContainEqual({
    id: expect.any(String),
    name: 'Check if the name mover is available on osc-secnum-fr1',
    status: 'done',
    logs: expect.any(String),
    phase: 'preflight',
    progress: null,
  });
});

it('backs out when the new app does not start; the same finalize succeeds once that is mended', async () => {
  const breakable = `
    import { readFileSync } from 'node:fs';
    try {
      if (process.cwd().includes(readFileSync('/tmp/' + process.env.SWITCH, 'utf8'))) {
        console.error('broken on purpose');
        process.exit(1);
      }
    } catch (error) { if (error.code !== 'ENOENT') throw error; }
    await import('./web.js');`;
  const work = `
    import { appendFileSync } from 'node:fs';
    appendFileSync('/tmp/' + process.env.SWITCH + '-workers', process.cwd() + '\\n');
    await import('./worker.js');`;
  const app = await stage.deployBirdLog('breaker', {
    files: {
      ...{ 'start.js': breakable, 'work.js': work },
      Procfile: 'web: node start.js\nworker: node work.js\n',
    },
  });
  const name = `godwit-switch-${process.pid}`;
  const workers = () => readFile(`/tmp/${name}-workers`, 'utf8');
  await app.client.setVariables('breaker', { SWITCH: name });
  await app.client.post('/apps/breaker/restart', {}, z.unknown());
  await until(async () => (await app.ask('/healthz')).status === 200, {
    timeout: 20_000,
    what: 'the app to run again',
  });
  const id = await app.createMigration();
  await app.runTo(id, 'data');
  await writeFile(`/tmp/${name}`, stage.destination.name);
  const traffic = app.traffic();
  traffic.start();
  try {
    const failed = await app.run(id, 'finalize');
    expect(failed).toMatchObject({ status: 'error', failed_phase: 'finalize' });
    expect(describeSteps(failed)).toMatch(/broken on purpose/);
    const before = await app.stats();
    expect(await inventory(stage, stage.source.name)).toMatchObject({
      processes: expect.arrayContaining([`${app.id} web-1`, `${app.id} worker-1`]),
    });
    // What a worker had written there would be lost now.
    expect(await workers()).not.toContain(stage.destination.name);
    await rm(`/tmp/${name}`);
    const done = await app.run(id, 'finalize');
    expect(done, describeSteps(done)).toMatchObject({ status: 'done' });
    await until(async () => (await workers()).includes(stage.destination.name), {
      ...{ timeout: 20_000, what: 'the worker to run there' },
    });
    expect((await app.stats()).rows).toBeGreaterThanOrEqual(before.rows);
  } finally {
    await rm(`/tmp/${name}`, { force: true });
    await rm(`/tmp/${name}-workers`, { force: true });
  }
  const report = await traffic.stop();
  expect(report.failures).toEqual([]);
  const urls = {
    source: await app.databaseUrl(),
    destination: await app.databaseUrl(stage.destination.name),
  };
  const { source, destination, lostWrites } = await compareDatabases(urls, report);
  expect(lostWrites).toBe(0);
  expect(source).toEqual(destination);
});

it('moves the oldest PostgreSQL on offer, and without a data phase', async () => {
  const version = (await findBinaries()).at(-1)?.major ?? '';
  const app = await stage.deployBirdLog('older', { version });
  const id = await app.createMigration('newer');
  await app.runTo(id, 'prepare');
  const done = await app.run(id, 'finalize');
  expect(done, describeSteps(done)).toMatchObject({ status: 'done', dst_app_name: 'newer' });
  expect(await app.stats()).toEqual({ rows: 2_000 });
});
