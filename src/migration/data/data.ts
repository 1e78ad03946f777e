import type { Phase } from '../phase.js';
import { copyDatabases } from './copy-databases.js';
import { pointVariables } from './point-variables.js';
import { provisionAddons } from './provision-addons.js';

export const dataSteps = { provisionAddons, copyDatabases, pointVariables };

/** Provisions the addons and copies the databases; the app stays up. */
export const data: Phase = {
  name: 'data',
  success: 'data-migrated',
  failure: 'error',
  steps: () => dataSteps,
};
