import type { Phase } from '../phase.js';
import { createApp } from './create-app.js';
import { freeze } from './freeze.js';
import { importAlerts } from './import-alerts.js';
import { importAutoscalers } from './import-autoscalers.js';
import { importBuild } from './import-build.js';
import { importCollaborators } from './import-collaborators.js';
import { importDomains } from './import-domains.js';
import { importFormation } from './import-formation.js';
import { importLimits } from './import-limits.js';
import { importLogDrains } from './import-log-drains.js';
import { importNotifiers } from './import-notifiers.js';
import { importScmLink } from './import-scm-link.js';
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
    importScmLink,
    importCollaborators,
    importDomains,
    importSettings,
    importLimits,
    importFormation,
    importNotifiers,
    importAlerts,
    importLogDrains,
    importAutoscalers,
  }),
};
