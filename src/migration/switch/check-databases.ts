import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';
import { keepFollowing } from './keep-following.js';
import type { Way } from './way.js';

/** Begins the switch only when it can be a short one: every follower keeps up, little is left to write out. */
export const checkDatabases = (way: Way): Step => ({
  title: 'Check that the databases keep up',
  async run(context) {
    await keepFollowing(context, way);
    const pairs = await databasePairs(context);
    const { region, database } = way.from(context);
    await Promise.all(pairs.map((pair) => region.flush({ database: database(pair) })));
  },
  async undo({ log }) {
    log('To be checked again when it is tried again.');
  },
});
