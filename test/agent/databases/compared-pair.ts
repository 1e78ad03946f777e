import { setTimeout as sleep } from 'node:timers/promises';
import {
  type PartProgress,
  type WalkedPair,
  walk,
} from '../../../src/migration/verification/walk.js';
import type { Contents, Look } from '../../../src/region/model.js';
import type { TestDatabases } from './test-databases.js';

const none: Contents = { parts: [], leftOut: [] };

/** A database of any product and its follower, each in a region of its own, as they are compared. */
export class ComparedPair implements WalkedPair {
  readonly #here: TestDatabases;
  readonly #there: TestDatabases;
  readonly #old: string;
  readonly #twin: string;

  constructor(primary: [TestDatabases, string], follower: [TestDatabases, string]) {
    [this.#here, this.#old] = primary;
    [this.#there, this.#twin] = follower;
  }

  readonly primary = {
    digest: (part: string, looks: readonly Look[]) =>
      this.#here.databases.digest({ database: this.#old, part, looks: [...looks] }),
    position: () => this.#here.databases.position({ database: this.#old }),
  };

  readonly follower = {
    digest: (part: string, looks: readonly Look[]) =>
      this.#there.databases.digest({ database: this.#twin, part, looks: [...looks] }),
    waitFor: async (position: string) => {
      const database = this.#twin;
      await this.#there.databases.waitFor({ database, position, timeout: 60_000 });
    },
  };

  async contents() {
    const primary = (await this.#here.databases.contents({ database: this.#old })) ?? none;
    await this.follower.waitFor(await this.primary.position());
    const follower = (await this.#there.databases.contents({ database: this.#twin })) ?? none;
    return { primary, follower };
  }

  pause = (attempt: number) => sleep(attempt);
  rest = async () => undefined;
}

/** Compares all of a pair. @returns what was found of each part, by its name without `prefix` */
export async function compared(
  pair: WalkedPair,
  prefix: string,
): Promise<Map<string, PartProgress>> {
  const found = new Map<string, PartProgress>();
  await walk(pair, new Map(), async (progress) => {
    found.set(progress.part.name.replace(prefix, ''), progress);
  });
  return found;
}

/** What is not the same, with the name of its part. */
export const differences = (found: ReadonlyMap<string, PartProgress>) =>
  [...found].flatMap(([name, { findings }]) =>
    findings.filter(({ kind }) => kind === 'different').map((one) => ({ name, ...one })),
  );
