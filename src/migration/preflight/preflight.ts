import type { Phase } from '../phase.js';
import { checkAddonVersions } from './check-addon-versions.js';
import { checkAddonsCompatibility } from './check-addons-compatibility.js';
import { checkApp } from './check-app.js';
import { checkCertificateValidity } from './check-certificate-validity.js';
import { checkCollaborators } from './check-collaborators.js';
import { checkDatabaseSettings } from './check-database-settings.js';
import { checkDomains } from './check-domains.js';
import { checkFormation } from './check-formation.js';
import { checkName } from './check-name.js';
import { checkRegions } from './check-regions.js';
import { checkRoom } from './check-room.js';
import { conclude } from './conclude.js';
import { estimate } from './estimate.js';

/** Only looks. */
export const preflight: Phase = {
  name: 'preflight',
  success: 'preflight-success',
  failure: 'preflight-error',
  runsAll: true,
  steps: () => ({
    checkAddonVersions,
    checkCertificateValidity,
    checkAddonsCompatibility,
    checkName,
    checkApp,
    checkRegions,
    checkRoom,
    checkDomains,
    checkFormation,
    checkCollaborators,
    checkDatabaseSettings,
    estimate,
    conclude,
  }),
};
