import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import { postgresql } from '../../../src/agent/databases/postgresql/postgresql.js';
import { findRedis } from '../../../src/agent/databases/redis/binaries.js';
import { redis } from '../../../src/agent/databases/redis/redis.js';
import { findBinaries } from '../../../src/postgresql/binaries.js';
import { newId } from '../../../src/shared/ids.js';
import { cleanUp } from '../../clean-up.js';

const place = { address: '127.0.0.1', logger: pino({ level: 'silent' }) };
const [majors, programs] = await Promise.all([findBinaries(), findRedis()]);

it('keeps databases whose programs their host has lost, and offers no more of them', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-test-'));
  cleanUp.push(() => rm(dir, { recursive: true }));
  const open = async (parts: { majors: typeof majors; programs: typeof programs }) => {
    const products = [postgresql({ ...parts, ...place }), redis({ ...parts, ...place })];
    const databases = new Databases({ dir, products, logger: place.logger });
    await databases.recover();
    return databases;
  };
  const before = await open({ majors, programs });
  cleanUp.push(() => before.close({ stop: true }));
  const ids = [];
  for (const { product, versions, plans } of await before.offers()) {
    const [version = '', plan = '', id] = [versions[0], plans[0], newId()];
    await before.provision(product, { id, plan, version, role: 'primary' });
    ids.push(id);
  }
  const variables = ids.map((id) => before.variables(id));
  await before.close({ stop: true });

  const without = await open({ majors: [], programs: [] });
  expect(await without.offers()).toEqual([]);
  expect(ids.map((id) => without.variables(id))).toEqual(variables);
  const another = { id: newId(), plan: '', version: '7.0', role: 'empty' } as const;
  await expect(without.provision('redis', another)).rejects.toThrow(
    'Redis 7.0 is not offered here; its host lacks redis-server.',
  );
  await without.close({ stop: true });

  const after = await open({ majors, programs });
  cleanUp.push(() => after.close({ stop: true }));
  expect(await Promise.all(ids.map((id) => after.position({ database: id })))).toHaveLength(2);
});
