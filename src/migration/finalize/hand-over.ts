import type { Step } from '../phase.js';

/** Until now only the migration could change the new app; from now on its owner can. */
export const handOver: Step = {
  title: 'Unfreeze the new application',
  async run({ migration, destination, newAppId, log }) {
    await destination.thaw({ app: newAppId, migration: migration.id });
    log(`${migration.dstAppName} on ${destination.name} is its owner's.`);
  },
};
