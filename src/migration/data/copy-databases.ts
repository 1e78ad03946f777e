import { keepFollowing } from '../follow.js';
import type { Step } from '../phase.js';

/** Every database becomes followed by its twin, all side by side, while the app stays up. */
export const copyDatabases: Step = {
  title: 'Copy the databases and keep them following',
  run: keepFollowing,
};
