import { z } from 'zod';
import type { RegionDescription } from '../../region/model.js';

/** The one size of containers: processes share the memory of their host. */
export const onlySize = 'M';

/** A container size. */
export const containerSize = z
  .object({
    id: z.string(),
    name: z.string(),
    human_name: z.string(),
    human_cpu: z.string(),
    memory: z.number().describe('Bytes'),
    ordinal: z.number(),
    pids_limit: z.number().describe('0 for none'),
    swap: z.number(),
    hourly_price: z.number(),
    thirtydays_price: z.number(),
    sku: z.string(),
  })
  .meta({
    description: 'What a container gets; nothing here has a price',
    examples: [sizeOf({ name: 'osc-fr1', memory: 16_000_000_000 })],
  });

/** The size of every container of a region. */
export function sizeOf({ name, memory }: Pick<RegionDescription, 'name' | 'memory'>) {
  return {
    id: '4d1c2a5e-8a3c-4a3b-8f0e-6c1c0d9b7e21',
    name: onlySize,
    human_name: onlySize,
    human_cpu: 'shares the host',
    memory,
    ordinal: 1,
    pids_limit: 0,
    swap: 0,
    hourly_price: 0,
    thirtydays_price: 0,
    sku: `${name}-app-${onlySize}`,
  };
}
