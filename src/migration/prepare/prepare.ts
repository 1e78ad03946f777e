import type { Phase } from '../phase.js';
import { createApp } from './create-app.js';
import { freeze } from './freeze.js';
import { importBuild } from './import-build.js';
import { importCollaborators } from './import-collaborators.js';
import { importDomains } from './import-domains.js';
import { importFormation } from './import-formation.js';
import { importSettings } from './import-settings.js';
import { importVariables } from './import-variables.js';

/** Freezes the source and builds the empty canvas in the destination. */
export const prepare: Phase = {
  name: 'prepare',
  success: 'prepared',
  failure: 'error',
  steps: () => ({
    freeze,
    createApp,
    importBuild,
    importVariables,
    importCollaborators,
    importDomains,
    importSettings,
    importFormation,
  }),
};
