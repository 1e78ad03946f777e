import { check } from './check.js';

/** No other app of the destination answers to a domain of this one. */
export const checkDomains = check({
  title: ({ destination }) => `Check that the domains are free on ${destination}`,
  async look({ migration, sourceApp, destination, log, obstacle }) {
    const { domains } = await sourceApp();
    const others = (await destination.listApps({})).filter(({ id }) => id !== migration.appId);
    for (const { name } of domains) {
      const holder = others.find((app) => app.domains.some((domain) => domain.name === name));
      if (!holder) continue;
      obstacle(
        `${name} belongs to ${holder.name} on ${destination.name}. Remove it from there, or from ${migration.srcAppName}.`,
      );
    }
    log(`${domains.length} domains: ${domains.map(({ name }) => name).join(', ') || 'none'}.`);
  },
});
