import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { Databases } from '../../../src/agent/databases/databases.js';
import type { Product } from '../../../src/agent/databases/product.js';
import { diskOf } from '../../../src/shared/disk.js';
import { newId } from '../../../src/shared/ids.js';
import { createLogger } from '../../../src/shared/logging.js';
import { type ProcessIdentity, signalProcess, waitForExit } from '../../../src/shared/processes.js';
import { until } from '../../../src/shared/until.js';
import type { SmallDisk } from './small-disk.js';

export const logger = createLogger('test');
logger.level = 'silent';

/** Of whoever writes on and on, in milliseconds: the machine is not to be busy with that. */
export const writePause = 3;

const steps: (() => Promise<unknown>)[] = [];

/** Has something done when the test is over; what came last goes first. */
export function afterwards(step: () => Promise<unknown>): void {
  steps.push(step);
}

export async function cleanUp(): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}

/** The databases of one region, of one product, in a folder of their own. */
export class TestDatabases {
  databases: Databases;

  private constructor(
    readonly dir: string,
    readonly product: Product,
  ) {
    this.databases = this.#open();
  }

  /** @param disk of its own, if given */
  static async create(product: Product, disk?: SmallDisk): Promise<TestDatabases> {
    const dir = disk?.folder ?? (await mkdtemp(join(tmpdir(), 'godwit-test-')));
    if (!disk) afterwards(() => rm(dir, { recursive: true, force: true }));
    const region = new TestDatabases(dir, product);
    await region.databases.recover();
    afterwards(() => region.databases.close({ stop: true }));
    return region;
  }

  /** As after a crash of the agent: nothing is stopped, nothing is told. */
  async restart(): Promise<void> {
    await this.databases.close({ stop: false });
    this.databases = this.#open();
    await this.databases.recover();
  }

  async provision(version: string, role: 'primary' | 'empty' = 'primary'): Promise<string> {
    const id = newId();
    const { name } = this.product;
    await this.databases.provision(name, { id, plan: `${name}-sandbox`, version, role });
    return id;
  }

  #open(): Databases {
    // Tended so often that this comes at every moment of whatever is done to them.
    return new Databases({ dir: this.dir, products: [this.product], rounds: 10, logger });
  }
}

export async function kill(victim: ProcessIdentity): Promise<void> {
  signalProcess(victim, 'SIGKILL');
  await waitForExit(victim, 10_000);
}

/** Waits until a follower keeps up. @throws when it fails */
export async function streaming({ databases }: TestDatabases, database: string): Promise<void> {
  await until(
    async () => {
      const { stage, reason } = await databases.following({ database });
      if (stage === 'failed') throw new Error(reason ?? stage);
      return stage === 'streaming';
    },
    { timeout: 30_000, what: 'the follower to keep up' },
  );
}

/** A copy at a rate that is lifted once some of it is there. */
export class LimitedCopy {
  /** In bytes a second. */
  rate: number | null = 2 * 1024 * 1024;
  readonly now = () => this.rate;

  /**
   * Begins a copy and sees that no more of it has come, at any time, than may.
   * @param meanwhile what is to happen before the limit is lifted
   */
  async follow(
    { databases }: Pick<TestDatabases, 'databases'>,
    database: string,
    endpoint: Record<string, unknown>,
    meanwhile?: () => Promise<unknown>,
  ): Promise<void> {
    const { rate } = this;
    if (rate === null) throw new Error('there is no limit');
    const began = performance.now();
    await databases.follow({ database, endpoint });
    await until(
      async () => {
        const { stage, reason, copied } = await databases.following({ database });
        if (stage !== 'copying')
          throw new Error(`${stage}, although it has hardly begun: ${reason}`);
        const may = rate * ((performance.now() - began) / 1000 + 0.1) + pieces;
        if (copied > may) throw new Error(`${copied} bytes have come instead of ${may}`);
        return copied > rate;
      },
      { timeout: 30_000, every: 20, what: 'a part of the copy' },
    );
    await meanwhile?.();
    this.rate = null;
  }
}

/** What is on its way between where it is counted and where it is limited, in bytes. */
const pieces = 512 * 1024;

/**
 * Lets a follower in that comes from elsewhere than it says, which it is not, and then from there.
 * @returns what it is to follow
 */
export async function admittedFromHere(
  { databases: primaries }: Pick<TestDatabases, 'databases'>,
  primary: string,
  { databases: followers }: Pick<TestDatabases, 'databases'>,
  database: string,
): Promise<Record<string, unknown>> {
  const grant = { database: primary, follower: randomUUID() };
  const elsewhere = await primaries.grantFollow({ ...grant, from: ['127.0.0.2'] });
  await followers.follow({ database, endpoint: elsewhere });
  const failed = async () => (await followers.following({ database })).stage === 'failed';
  await until(failed, { timeout: 30_000, what: 'the follower to be refused' });
  const endpoint = await primaries.grantFollow({ ...grant, from: ['127.0.0.0/31'] });
  expect(endpoint).toEqual(elsewhere);
  return endpoint;
}

/**
 * Copies to where there is no room, which fails and leaves nothing there; then makes room, and begins again.
 */
export async function copiedOnceThereIsRoom(
  { databases }: Pick<TestDatabases, 'databases'>,
  database: string,
  endpoint: Record<string, unknown>,
  disk: SmallDisk,
): Promise<void> {
  await databases.follow({ database, endpoint });
  const failed = async () => {
    const { stage, reason } = await databases.following({ database });
    return stage === 'failed' && reason;
  };
  const reason = await until(failed, { timeout: 60_000, what: 'the disk to be full' });
  expect(reason).toContain('ENOSPC');
  expect(reason).toMatch(/Of its [\d.]+ [kM]B, [\d.]+ [kM]B are free/);
  const { size, free } = await diskOf(disk.folder);
  expect(size - free).toBeLessThan(1024 * 1024);
  await disk.resize(128);
  await databases.follow({ database, endpoint });
}
