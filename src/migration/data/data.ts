import type { Phase } from '../phase.js';
import { copyDatabases } from './copy-databases.js';
import { provisionAddons } from './provision-addons.js';

export const dataSteps = { provisionAddons, copyDatabases };

/** Provisions the addons and copies the databases; the app stays up. */
export const data: Phase = {
  name: 'data',
  success: 'data-migrated',
  failure: 'error',
  steps: () => dataSteps,
};
