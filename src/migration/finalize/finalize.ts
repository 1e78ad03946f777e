import { dataSteps } from '../data/data.js';
import type { Phase } from '../phase.js';
import { checkDatabases } from '../switch/check-databases.js';
import { holdRequests } from '../switch/hold-requests.js';
import { recordSwitch } from '../switch/record-switch.js';
import { redirectRequests } from '../switch/redirect-requests.js';
import { startApp } from '../switch/start-app.js';
import { stopApp } from '../switch/stop-app.js';
import { switchDatabases } from '../switch/switch-databases.js';
import { warmUp } from '../switch/warm-up.js';
import { there } from '../switch/way.js';
import { followBack } from './follow-back.js';
import { handOver } from './hand-over.js';

const steps = {
  checkDatabases: checkDatabases(there),
  warmUp: warmUp(there),
  holdRequests: holdRequests(there),
  stopSourceApp: stopApp('Stop the source application', there),
  switchDatabases: switchDatabases(there),
  startNewApp: startApp(({ destination }) => `Start the application on ${destination}`, there),
  redirectRequests: redirectRequests(
    ({ destination }) => `Redirect requests to ${destination}`,
    there,
  ),
  handOver,
  followBack,
  recordSwitch: recordSwitch(there),
};

/** The switch. Without a `data` phase before it, the databases are copied first. */
export const finalize: Phase = {
  name: 'finalize',
  success: 'done',
  failure: 'error',
  steps: (migration) => ({
    ...(migration.steps.some(({ phase }) => phase === 'data') ? {} : dataSteps),
    ...steps,
  }),
};
