import { derivedId } from '../../shared/ids.js';
import type { Step } from '../phase.js';

export const importDomains: Step = {
  title: 'Import domains',
  async run({ destination, newAppId, sourceApp, log }) {
    const { domains } = await sourceApp();
    for (const domain of domains) {
      const copy = { ...domain, id: derivedId(newAppId, domain.id) };
      await destination.addDomain({ app: newAppId, domain: copy });
    }
    log(`Copied ${domains.length}.`);
  },
};
