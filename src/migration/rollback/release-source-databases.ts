import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';
import { sideBySide } from '../side-by-side.js';

/** Takes away what the copies of credentials in the databases that came back could still be used for. */
export const releaseSourceDatabases: Step = {
  title: 'Release the source databases',
  async run(context) {
    const { migration, source, log } = context;
    const pairs = await databasePairs(context);
    await sideBySide(pairs, ({ old }) =>
      source.revokeFollow({ database: old, follower: migration.id }),
    );
    log(`${pairs.length} released.`);
  },
};
