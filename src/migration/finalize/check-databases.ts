import { databasePairs } from '../databases.js';
import { keepFollowing } from '../follow.js';
import type { Step } from '../phase.js';

/** Begins the switch only when it can be a short one: every twin keeps up, little is left to write out. */
export const checkDatabases: Step = {
  title: 'Check that the databases keep up',
  async run(context) {
    await keepFollowing(context);
    const pairs = await databasePairs(context);
    await Promise.all(pairs.map(({ old }) => context.source.flush({ database: old })));
  },
  async undo({ log }) {
    log('To be checked again when finalize is run again.');
  },
};
