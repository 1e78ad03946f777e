import { unfreeze } from '../abort/unfreeze.js';
import type { Phase } from '../phase.js';
import { checkDatabases } from '../switch/check-databases.js';
import { holdRequests } from '../switch/hold-requests.js';
import { recordSwitch } from '../switch/record-switch.js';
import { redirectRequests } from '../switch/redirect-requests.js';
import { startApp } from '../switch/start-app.js';
import { stopApp } from '../switch/stop-app.js';
import { switchDatabases } from '../switch/switch-databases.js';
import { warmUp } from '../switch/warm-up.js';
import { back } from '../switch/way.js';
import { freezeNewApp } from './freeze-new-app.js';
import { leaveForward } from './leave-forward.js';
import { releaseSourceDatabases } from './release-source-databases.js';

/** The switch, the other way: every write that was made in the destination comes along. */
export const rollback: Phase = {
  name: 'rollback',
  success: 'rolled-back',
  failure: 'error',
  steps: () => ({
    freezeNewApp,
    checkDatabases: checkDatabases(back),
    warmUp: warmUp(back),
    holdRequests: holdRequests(back),
    stopNewApp: stopApp(({ destination }) => `Stop the application on ${destination}`, back),
    switchDatabases: switchDatabases(back),
    startSourceApp: startApp('Start the source application', back),
    redirectRequests: redirectRequests(({ source }) => `Redirect requests to ${source}`, back),
    releaseSourceDatabases,
    unfreeze,
    recordSwitch: recordSwitch(back),
    leaveForward,
  }),
};
