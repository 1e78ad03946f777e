import { databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import { sideBySide } from '../side-by-side.js';

/** The old databases follow the new ones, so that no write is missing there either. */
export const followBack: Step = {
  title: 'Keep the old databases following',
  async run(context) {
    const { migration, source, destination, log } = context;
    const pairs = await databasePairs(context);
    const { origins } = await source.describe({});
    await sideBySide(pairs, async ({ addon, old, twin }) => {
      const { platform } = await source.inspect({ database: old });
      const grant = { database: twin, follower: migration.id, to: platform, from: origins };
      const endpoint = await orGone(destination.grantFollow(grant));
      if (!endpoint) return log(`${addon.product} was removed from ${destination.name}.`);
      await source.followBack({ database: old, endpoint });
      const { stage } = await source.following({ database: old });
      log(
        stage === 'waiting'
          ? `${addon.product} on ${source.name} keeps what it had; a rollback copies what has been written since.`
          : `${addon.product} on ${source.name} follows ${destination.name}.`,
      );
    });
    if (pairs.length === 0) log('The app has no databases.');
  },
};
