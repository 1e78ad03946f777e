import type { Phase } from '../phase.js';
import { endFollowing } from './end-following.js';
import { endForwarding } from './end-forwarding.js';
import { letGoOfSource } from './let-go-of-source.js';

/** The end of the window: nothing of the migration is left but its result. */
export const complete: Phase = {
  name: 'complete',
  success: 'done',
  failure: 'error',
  persists: true,
  steps: () => ({ endForwarding, endFollowing, letGoOfSource }),
};
