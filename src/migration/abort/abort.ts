import type { Phase } from '../phase.js';
import { releaseDatabases } from './release-databases.js';
import { removeNewApp } from './remove-new-app.js';
import { unfreeze } from './unfreeze.js';

/** Everything as it was before. A finalize under way has backed out by itself before this begins. */
export const abort: Phase = {
  name: 'abort',
  success: 'aborted',
  failure: 'error',
  persists: true,
  steps: () => ({ releaseDatabases, unfreeze, removeNewApp }),
};
