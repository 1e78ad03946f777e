import { expect, it } from 'vitest';
import { databasePairs } from '../../src/migration/databases.js';
import type { App } from '../../src/region/model.js';

const addon = (id: string, product: string): App['addons'][number] => ({
  ...{ id, product, plan: 'sandbox', version: '1', status: 'running' },
});

it('calls each database by its product, and tells several of the same apart', async () => {
  const addons = [
    addon('a1b2c3d4e5f6a1b2c3d4e5f6', 'postgresql'),
    addon('b1b2c3d4e5f6a1b2c3d4e5f6', 'influxdb'),
    addon('c1b2c3d4e5f6a1b2c3d4e5f6', 'postgresql'),
  ];
  const newAppId = 'd1b2c3d4e5f6a1b2c3d4e5f6';
  const pairs = await databasePairs({ newAppId, sourceApp: async () => ({ addons }) });
  expect(pairs.map(({ name }) => name)).toEqual([
    'postgresql a1b2c3',
    'influxdb',
    'postgresql c1b2c3',
  ]);
  expect(new Set(pairs.map(({ twin }) => twin)).size).toBe(3);
});
