import { databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** The source's databases are their own again, with what they had at the end; the credentials are gone. */
export const endFollowing: Step = {
  title: 'End the replication to the source',
  async run(context) {
    const { migration, source, destination, log } = context;
    if (!(await source.findApp({ ref: migration.appId }))) return log('The source is gone.');
    const pairs = await databasePairs(context);
    for (const { old, twin } of pairs) {
      await source.promote({ database: old });
      await orGone(destination.revokeFollow({ database: twin, follower: migration.id }));
      await source.revokeFollow({ database: old, follower: migration.id });
    }
    log(`${pairs.length} databases of ${source.name} follow no more.`);
  },
};
