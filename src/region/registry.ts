import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { messageOf } from '../shared/errors.js';
import { AgentClient } from './agent-client.js';
import type { Region } from './region.js';

/** Name of a region: a label of a host name. */
export const regionName = z
  .string()
  .regex(
    /^[a-z][a-z0-9-]{0,46}[a-z0-9]$/,
    'must be 2 to 48 lower-case letters, digits and hyphens, starting with a letter and not ending with a hyphen',
  );

const regionEntry = z.object({
  name: regionName,
  displayName: z.string().optional(),
  url: z.url(),
  token: z.string().min(16),
});

/** The regions file: the first region is the default one. */
export const regionsFile = z
  .array(regionEntry)
  .min(1, 'names no region')
  .refine((regions) => new Set(regions.map(({ name }) => name)).size === regions.length, {
    error: 'names a region twice',
  });
export type RegionEntry = z.infer<typeof regionEntry>;

/** The regions that a control plane knows. */
export class Registry {
  readonly #regions: ReadonlyMap<string, { entry: RegionEntry; region: Region }>;
  /** The region that `/v1` addresses. */
  readonly default: string;

  constructor(entries: readonly RegionEntry[]) {
    const [first] = entries;
    if (!first) throw new Error('There is no region.');
    this.default = first.name;
    this.#regions = new Map(
      entries.map((entry) => [entry.name, { entry, region: new AgentClient(entry) }]),
    );
  }

  /** @throws when the file cannot be read or is not what it should be, saying what is wrong with it */
  static async read(file: string): Promise<Registry> {
    const text = await readFile(file, 'utf8').catch((error) => {
      throw new Error(`The regions file cannot be read: ${messageOf(error)}.`);
    });
    try {
      return new Registry(regionsFile.parse(JSON.parse(text)));
    } catch (error) {
      const what = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
      throw new Error(`The regions file ${file} is not as it should be: ${what}`);
    }
  }

  names(): string[] {
    return [...this.#regions.keys()];
  }

  all(): Region[] {
    return [...this.#regions.values()].map(({ region }) => region);
  }

  get(name: string): Region | null {
    return this.#regions.get(name)?.region ?? null;
  }

  /** Name for people. */
  displayName(name: string): string {
    return this.#regions.get(name)?.entry.displayName ?? name;
  }
}
