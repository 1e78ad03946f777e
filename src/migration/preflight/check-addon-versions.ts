import type { Step } from '../phase.js';

/** Every addon's product is offered by the destination in the addon's major version. */
export const checkAddonVersions: Step = {
  title: 'Check addon versions',
  async run({ sourceApp, destination, log }) {
    const { addons } = await sourceApp();
    const { offers } = await destination.describe({});
    const missing: string[] = [];
    for (const { product, version } of addons) {
      const offered = offers.find((offer) => offer.product === product)?.versions ?? [];
      if (offered.includes(version))
        log(`${product} ${version} is offered by ${destination.name}.`);
      else missing.push(`${product} ${version} (it offers ${offered.join(', ') || 'none'})`);
    }
    if (missing.length > 0) {
      throw new Error(
        `${destination.name} lacks ${missing.join(' and ')}. Have it installed there, or choose another destination.`,
      );
    }
    if (addons.length === 0) log('The app has no addons.');
  },
};
