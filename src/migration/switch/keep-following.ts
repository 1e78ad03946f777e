import type { Following } from '../../region/model.js';
import { bytes } from '../../shared/bytes.js';
import { until } from '../../shared/until.js';
import { type DatabasePair, databasePairs } from '../databases.js';
import type { StepContext } from '../phase.js';
import { Copies } from './watch-copies.js';
import type { Way } from './way.js';

/** A copy of a very large database takes long; it has failed when nothing has moved for this long. */
const stalled = 30 * 60_000;

/**
 * Makes the databases of the one side follow those of the other and waits until all of them keep
 * up, or have what they can have while the app is up. Those that do already are left alone. They are
 * copied side by side; the app stays up.
 */
export async function keepFollowing(context: StepContext, way: Way): Promise<void> {
  const pairs = await databasePairs(context);
  const copies = new Copies(context);
  await Promise.all(
    pairs.map((pair) => followOne(context, way, pair, (state) => copies.see(pair.name, state))),
  );
  if (pairs.length === 0) context.log('The app has no databases.');
}

async function followOne(
  context: StepContext,
  way: Way,
  pair: DatabasePair,
  seen: (state: Following) => void,
): Promise<void> {
  const { migration, signal, log } = context;
  const [from, to] = [way.from(context), way.to(context)];
  const { addon } = pair;
  const database = to.database(pair);
  const { platform } = await to.region.inspect({ database });
  const { origins } = await to.region.describe({});
  const endpoint = await from.region.grantFollow({
    database: from.database(pair),
    follower: migration.id,
    to: platform,
    from: origins,
  });
  await to.region.follow({ database, endpoint });
  let before = '';
  let movedAt = Date.now();
  const state = await until(
    async () => {
      const now = await to.region.following({ database });
      seen(now);
      if (now.stage === 'failed') throw new Error(`${addon.product}: ${now.reason}`);
      const sight = JSON.stringify(now);
      if (sight !== before) [before, movedAt] = [sight, Date.now()];
      if (Date.now() - movedAt > stalled) {
        throw new Error(`${addon.product}: copying has not moved for half an hour.`);
      }
      return (now.stage === 'streaming' || now.stage === 'waiting') && now;
    },
    { timeout: Number.POSITIVE_INFINITY, every: 100, signal, what: `${addon.product} to keep up` },
  );
  const { copied, lag } = state;
  const became =
    state.stage === 'waiting'
      ? `is copied as far as it can be, ${bytes(copied)}; the other ${bytes(lag ?? 0)} are copied when the app has stopped`
      : `follows; ${bytes(copied)} copied`;
  log(`${addon.product} ${addon.version} ${became}.`);
}
