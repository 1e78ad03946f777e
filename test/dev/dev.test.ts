import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { until } from '../../src/shared/until.js';
import { Stage } from '../e2e/stage.js';

let stage: Stage | null = null;
afterEach(async () => {
  await stage?.remove();
});

it('keeps everything from one start to the next, and leaves no process', async () => {
  stage = await Stage.start({ alone: true });
  const { ready, dir } = stage;
  expect(ready.regions.map(({ name }) => name)).toEqual(['osc-fr1', 'osc-secnum-fr1']);
  for (const { edge_https } of ready.regions) {
    expect(edge_https).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  }
  const app = await stage.deployBirdLog('keeper', { rows: 50 });

  await stage.close();
  expect(await stage.everythingThatRuns()).toEqual([]);
  const stranger = createServer().listen(Number(new URL(stage.source.edge).port), '127.0.0.1');
  await once(stranger, 'listening');
  await expect(stage.open()).rejects.toThrow(/Port \d+, by which osc-fr1 is known, is in use/);
  stranger.close();
  await stage.open();
  expect(stage.ready).toEqual(ready);
  const stats = () => app.stats().catch(() => null);
  expect(await until(stats, { timeout: 20_000, what: 'the app' })).toMatchObject({ rows: 50 });

  const before = Object.values(await stage.processes()).map(({ pid }) => pid);
  await stage.killDev();
  // As an earlier version, which knew no HTTPS, left it.
  const file = join(dir, 'dev.json');
  await writeFile(file, (await readFile(file, 'utf8')).replace(/"edgeHttpsPort": \d+,/g, ''));
  await stage.open();
  expect(stage.ready.regions.map(({ edge }) => edge)).toEqual(
    ready.regions.map(({ edge }) => edge),
  );
  expect(await until(stats, { timeout: 20_000, what: 'the app' })).toMatchObject({ rows: 50 });
  const running = (await stage.everythingThatRuns()).map((line) => Number.parseInt(line, 10));
  expect(running.filter((pid) => before.includes(pid))).toEqual([]);

  await stage.close();
  expect(await stage.everythingThatRuns()).toEqual([]);
  expect(dir).toBe(stage.dir);
});
