import { derivedId } from '../../shared/ids.js';
import type { Step } from '../phase.js';

/** Domains with their certificates and keys; one of them may be the canonical one. */
export const importDomains: Step = {
  title: 'Import domains and their certificates',
  async foresee({ sourceApp }) {
    const { domains } = await sourceApp();
    return domains.map(
      ({ name, canonical, tls }) =>
        `${name}${tls ? ', with its certificate' : ''}${canonical ? ', the canonical one' : ''}`,
    );
  },
  async run({ destination, newAppId, sourceApp, log }) {
    const { domains } = await sourceApp();
    for (const domain of domains) {
      const copy = { ...domain, id: derivedId(newAppId, domain.id) };
      await destination.addDomain({ app: newAppId, domain: copy });
    }
    const certificates = domains.filter(({ tls }) => tls !== null);
    log(`Copied ${domains.length}, ${certificates.length} of them with a certificate.`);
    const canonical = domains.find((domain) => domain.canonical);
    if (canonical) log(`${canonical.name} is the canonical one.`);
  },
};
