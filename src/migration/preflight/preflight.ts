import type { Phase } from '../phase.js';
import { checkAddonVersions } from './check-addon-versions.js';
import { checkAddonsCompatibility } from './check-addons-compatibility.js';
import { checkApp } from './check-app.js';
import { checkCertificateValidity } from './check-certificate-validity.js';
import { checkName } from './check-name.js';
import { conclude } from './conclude.js';

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
    conclude,
  }),
};
