import { dataSteps } from '../data/data.js';
import type { Phase } from '../phase.js';
import { checkDatabases } from './check-databases.js';
import { followBack } from './follow-back.js';
import { handOver } from './hand-over.js';
import { holdRequests } from './hold-requests.js';
import { redirectRequests } from './redirect-requests.js';
import { startNewApp } from './start-new-app.js';
import { stopSourceApp } from './stop-source-app.js';
import { switchDatabases } from './switch-databases.js';

/** The switch. Without a `data` phase before it, the databases are copied first. */
export const finalize: Phase = {
  name: 'finalize',
  success: 'done',
  failure: 'error',
  steps: (migration) => ({
    ...(migration.steps.some(({ phase }) => phase === 'data') ? {} : dataSteps),
    checkDatabases,
    holdRequests,
    stopSourceApp,
    switchDatabases,
    startNewApp,
    redirectRequests,
    handOver,
    followBack,
  }),
};
