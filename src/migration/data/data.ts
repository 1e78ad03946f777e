import type { Phase } from '../phase.js';
import { comparingStep } from '../verification/store.js';
import { compareDatabases } from './compare-databases.js';
import { copyDatabases } from './copy-databases.js';
import { pointVariables } from './point-variables.js';
import { provisionAddons } from './provision-addons.js';

export const dataSteps = {
  provisionAddons,
  copyDatabases,
  [comparingStep]: compareDatabases,
  pointVariables,
};

/** Provisions the addons, copies the databases and compares the copies; the app stays up. */
export const data: Phase = {
  name: 'data',
  success: 'data-migrated',
  failure: 'error',
  steps: () => dataSteps,
};
