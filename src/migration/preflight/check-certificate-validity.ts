import type { Step } from '../phase.js';

/** Regions keep no certificates of apps' own yet: there is none that could be invalid. */
export const checkCertificateValidity: Step = {
  title: 'Check certificate validity',
  async run({ sourceApp, log }) {
    const { domains } = await sourceApp();
    log(`${domains.length} domains, none with a certificate of its own.`);
  },
};
