import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { compareDatabases, lostWrites } from '../../src/dev/demo/check.js';
import { until } from '../../src/shared/until.js';
import { clientOf, contentsOf, fill } from '../agent/databases/redis/contents.js';
import { describeSteps, inventory, Stage, type TestApp } from './stage.js';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.start();
});
afterAll(() => stage.remove());

/** What the example writes to its log goes to Redis too, before it is acknowledged. */
async function inBoth(): Promise<Record<string, string>> {
  const original = await readFile(join(inject('examples'), 'bird-log', 'sightings.js'), 'utf8');
  const both = `
    import { connect } from 'node:net';
    import { add as addToPostgresql } from './in-postgresql.js';
    export * from './in-postgresql.js';
    const { hostname, port, password } = new URL(process.env.REDIS_URL);
    export async function add(sighting) {
      const added = await addToPostgresql(sighting);
      const socket = connect(Number(port), hostname).setEncoding('utf8');
      const entry = sighting.client + ':' + sighting.number;
      socket.write('AUTH ' + password + '\\r\\nRPUSH sightings ' + entry + '\\r\\n');
      let said = '';
      for await (const piece of socket) {
        said += piece;
        if (/^\\+OK\\r\\n:\\d+\\r\\n$/.test(said)) return added;
      }
      throw new Error('Redis said ' + said);
    }`;
  return { 'in-postgresql.js': original, 'sightings.js': both };
}

const redisOf = (app: TestApp, region?: string) => app.variable('REDIS_URL', region);

/** Acknowledged sightings that a Redis does not have exactly once. */
async function lostInRedis(
  url: string,
  acknowledged: readonly { client: string; number: number }[],
): Promise<string[]> {
  const client = clientOf(url);
  await client.connect();
  const there = await client.lRange('sightings', 0, -1);
  client.destroy();
  const times = new Map<string, number>();
  for (const entry of there) times.set(entry, (times.get(entry) ?? 0) + 1);
  return acknowledged
    .map(({ client, number }) => `${client}:${number}`)
    .filter((entry) => times.get(entry) !== 1);
}

it('moves an app with PostgreSQL and Redis, writes going on, and brings it back', async () => {
  const files = await inBoth();
  const app = await stage.deployBirdLog('counter', { addons: ['redis'], files, rows: 200 });
  await app.client.setVariables('counter', { CACHE: await redisOf(app) });
  const filler = clientOf(await redisOf(app));
  await filler.connect();
  await fill(filler);
  filler.destroy();
  const before = await inventory(stage, stage.destination.name);
  const traffic = app.traffic();
  traffic.start();

  const id = await app.createMigration();
  const done = await app.runTo(id, 'finalize');
  expect(describeSteps(done)).toMatch(/redis \S+: [\d,]+ rows, .* compared\./);
  expect(describeSteps(done)).toMatch(/redis \S+ switched at [0-9a-f]{40}:\d+/);
  const there = stage.destination.name;
  expect(await app.variable('CACHE', there)).toBe(await redisOf(app, there));
  expect(await app.variable('CACHE', there)).not.toBe(await redisOf(app));

  const report = await traffic.stop();
  expect(report.failures).toEqual([]);
  expect(report.acknowledged.length).toBeGreaterThan(0);
  const urls = { source: await app.databaseUrl(), destination: await app.databaseUrl(there) };
  const compared = await compareDatabases(urls, report);
  expect(compared.lostWrites).toBe(0);
  expect(compared.source).toEqual(compared.destination);
  expect(await lostInRedis(await redisOf(app, there), report.acknowledged)).toEqual([]);
  const held = await contentsOf(await redisOf(app, there));
  await until(async () => isDeepStrictEqual(await contentsOf(await redisOf(app)), held), {
    timeout: 10_000,
    what: 'the old Redis to have what the new one has',
  });

  const back = app.traffic({ at: stage.destination, group: 'there' });
  back.start();
  const rolledBack = await app.run(id, 'rollback');
  expect(rolledBack, describeSteps(rolledBack)).toMatchObject({ status: 'rolled-back' });
  const later = await back.stop();
  expect(later.failures).toEqual([]);
  const acknowledged = [...report.acknowledged, ...later.acknowledged];
  expect(await lostWrites(await app.databaseUrl(), { acknowledged })).toBe(0);
  expect(await lostInRedis(await redisOf(app), acknowledged)).toEqual([]);
  expect(await inventory(stage, there)).toEqual(before);
}, 180_000);
