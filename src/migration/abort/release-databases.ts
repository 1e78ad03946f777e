import { databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import { sideBySide } from '../side-by-side.js';

/** Takes away what let the twins follow: credentials, and history kept for them. */
export const releaseDatabases: Step = {
  title: 'Release the source databases',
  async run(context) {
    const { migration, source, log } = context;
    if (!(await source.findApp({ ref: migration.appId }))) {
      return log(`${migration.srcAppName} no longer exists.`);
    }
    const pairs = await databasePairs(context);
    await sideBySide(pairs, ({ old }) =>
      orGone(source.revokeFollow({ database: old, follower: migration.id })),
    );
    log(`${pairs.length} released.`);
  },
};
