import { check } from './check.js';

/** Every addon's product is offered by the destination in the addon's major version. */
export const checkAddonVersions = check({
  title: 'Check addon versions',
  async look({ sourceApp, destination, log, obstacle }) {
    const { addons } = await sourceApp();
    const { offers } = await destination.describe({});
    for (const { product, version } of addons) {
      const offered = offers.find((offer) => offer.product === product)?.versions ?? [];
      if (offered.includes(version)) {
        log(`${product} ${version} is offered by ${destination.name}.`);
      } else {
        const others = offered.join(', ') || 'none';
        obstacle(
          `${destination.name} lacks ${product} ${version} (it offers ${others}). Have it installed there, or choose another destination.`,
        );
      }
    }
    if (addons.length === 0) log('The app has no addons.');
  },
});
