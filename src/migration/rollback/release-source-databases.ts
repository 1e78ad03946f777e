import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';

/** Takes away what the copies of credentials in the databases that came back could still be used for. */
export const releaseSourceDatabases: Step = {
  title: 'Release the source databases',
  async run(context) {
    const { migration, source, log } = context;
    const pairs = await databasePairs(context);
    for (const { old } of pairs) {
      await source.revokeFollow({ database: old, follower: migration.id });
    }
    log(`${pairs.length} released.`);
  },
};
