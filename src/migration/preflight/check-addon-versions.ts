import { platformThere, versionThere } from '../databases.js';
import { check } from './check.js';

/** Every addon's product is offered by the destination in the version that the addon is to have there. */
export const checkAddonVersions = check({
  title: 'Check addon versions',
  async look({ migration, sourceApp, destination, log, obstacle }) {
    const { addons } = await sourceApp();
    const { offers } = await destination.describe({});
    for (const addon of addons) {
      const { product } = addon;
      const version = versionThere(addon, migration);
      if (isOlder(version, addon.version)) {
        obstacle(
          `${product} ${addon.version} cannot become ${version}, which is older. Abort, and create the migration with a later version, or with none.`,
        );
      } else if (version !== addon.version && !platformThere(addon, migration, offers)) {
        obstacle(
          `${product} ${addon.version} cannot become ${version} while it moves. Abort, and create the migration without.`,
        );
      }
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
    for (const product of Object.keys(migration.upgrade)) {
      if (!addons.some((addon) => addon.product === product)) {
        obstacle(
          `The app has no ${product} that could be upgraded. Abort, and create the migration without.`,
        );
      }
    }
    if (addons.length === 0) log('The app has no addons.');
  },
});

/** Versions are numbers, or several with dots between. */
function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0;
}
