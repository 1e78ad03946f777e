import { setTimeout as sleep } from 'node:timers/promises';
import pRetry from 'p-retry';
import type { Contents, Look } from '../../region/model.js';
import type { Region } from '../../region/region.js';
import { Refusal } from '../../shared/errors.js';
import { type DatabasePair, databasePairs } from '../databases.js';
import type { StepContext } from '../phase.js';
import { sideBySide } from '../side-by-side.js';
import type { Way } from '../switch/way.js';
import type { VerificationStore } from './store.js';
import { type ComparedDatabase, progressOf, type Verification } from './verification.js';
import { type WalkedPair, walk } from './walk.js';

/** What comparing needs of a migration. */
export type Ground = Pick<
  StepContext,
  'migration' | 'source' | 'destination' | 'newAppId' | 'sourceApp' | 'signal'
>;

export interface Comparing {
  readonly store: VerificationStore;
  /** Of the time, at most so much is spent on looking at a database. */
  readonly share: number;
  /** Told how far each database is, by its name. */
  readonly progress: StepContext['progress'];
}

/** How long a database that does not answer is asked again, in milliseconds. */
const patience = 60_000;
/** How long a follower may take to replay what was seen in its primary, in milliseconds. */
const replayPatience = 30_000;
/** Before the same rows are looked at again, in milliseconds. */
const pauses = { first: 10, most: 500 };

/**
 * Compares every database of the one side with what follows it on the other, side by side, going on
 * where the verification was.
 * @returns what it came to
 * @throws Ended when it was told to end; when a database does not answer, or `signal` fires
 */
export async function verifyDatabases(
  ground: Ground,
  way: Way,
  { id, databases }: Verification,
  { store, share, progress }: Comparing,
): Promise<ComparedDatabase[]> {
  const pairs = await databasePairs(ground);
  const states = new Map(databases.map((one) => [one.addon, one]));
  const tell = () =>
    progress(
      new Map(
        pairs.map(({ addon, name }) => {
          const state = states.get(addon.id);
          return [name, progressOf(state ? [state] : [])];
        }),
      ),
    );
  await sideBySide(pairs, async (one) => {
    const { addon } = one;
    const pair = pairOf(ground, way, one, share);
    const isFollowed = await pair.isFollowed();
    const contents = isFollowed ? await pair.contentsOfPrimary() : null;
    const known = new Map((states.get(addon.id)?.parts ?? []).map((part) => [part.part.id, part]));
    const database: ComparedDatabase = {
      ...{ addon: addon.id, product: addon.product, version: addon.version },
      total: contents?.parts.reduce((sum, { bytes }) => sum + bytes, 0) ?? null,
      leftOut: isFollowed
        ? (contents?.leftOut ?? [])
        : ['It is copied, but does not follow, and would differ by what was written since.'],
      parts: [...known.values()],
    };
    states.set(addon.id, database);
    await store.saveDatabase(id, database);
    tell();
    if (!contents) return;
    await walk(pair, known, async (now) => {
      await store.savePart(id, addon.id, now);
      known.set(now.part.id, now);
      states.set(addon.id, { ...database, parts: [...known.values()] });
      tell();
    });
  });
  return pairs.flatMap(({ addon }) => states.get(addon.id) ?? []);
}

/** A primary and its follower, asked again for as long as one of them is away for a moment. */
function pairOf(
  ground: Ground,
  way: Way,
  pair: DatabasePair,
  share: number,
): WalkedPair & {
  contentsOfPrimary(): Promise<Contents | null>;
  /** Whether it is there to be compared: not what is only copied while the app is stopped. */
  isFollowed(): Promise<boolean>;
} {
  const { signal } = ground;
  const [from, to] = [way.from(ground), way.to(ground)];
  const [primary, follower] = [
    { region: from.region, database: from.database(pair) },
    { region: to.region, database: to.database(pair) },
  ];
  const insist = <T>(ask: () => Promise<T>) =>
    pRetry(ask, {
      ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 100, maxTimeout: 2_000 },
      ...{ maxRetryTime: patience, signal },
      shouldRetry: ({ error }) => error instanceof Refusal && error.kind === 'unavailable',
    });
  const contents = ({ region, database }: Asked) => insist(() => region.contents({ database }));
  const digest =
    ({ region, database }: Asked) =>
    (part: string, looks: readonly Look[]) =>
      insist(() => region.digest({ database, part, looks: [...looks] }));
  const position = () => insist(() => primary.region.position({ database: primary.database }));
  const waitFor = async (position: string) => {
    const { region, database } = follower;
    await insist(() => region.waitFor({ database, position, timeout: replayPatience }));
  };
  const none: Contents = { parts: [], leftOut: [] };
  return {
    primary: { digest: digest(primary), position },
    follower: { digest: digest(follower), waitFor },
    contentsOfPrimary: () => contents(primary),
    async isFollowed() {
      const { region, database } = follower;
      const { stage } = await insist(() => region.following({ database }));
      return stage !== 'waiting' && stage !== 'idle';
    },
    async contents() {
      const there = await contents(primary);
      await waitFor(await position());
      return { primary: there ?? none, follower: (await contents(follower)) ?? none };
    },
    pause: (attempt) =>
      sleep(Math.min(pauses.first * 2 ** attempt, pauses.most), undefined, { signal }),
    rest: (took) => sleep(took * (1 / share - 1), undefined, { signal }),
  };
}

/** A database, and the region to ask for it. */
interface Asked {
  readonly region: Region;
  readonly database: string;
}
