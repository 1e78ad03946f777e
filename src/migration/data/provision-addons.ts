import { databasePairs, versionThere } from '../databases.js';
import type { Step } from '../phase.js';

/** Provisions every addon in the destination, its database made to follow. */
export const provisionAddons: Step = {
  title: ({ destination }) => `Provision addons on ${destination}`,
  async foresee({ sourceApp, migration }) {
    const { addons } = await sourceApp();
    return addons.map(
      (addon) => `${addon.product} ${versionThere(addon, migration)}, plan ${addon.plan}.`,
    );
  },
  async run(context) {
    const { destination, migration, newAppId, log } = context;
    const pairs = await databasePairs(context);
    for (const { addon, twin } of pairs) {
      const { product, plan } = addon;
      const version = versionThere(addon, migration);
      await destination.addAddon({
        app: newAppId,
        id: twin,
        product,
        plan,
        version,
        role: 'empty',
      });
      log(`${product} ${version}, plan ${plan}.`);
    }
    if (pairs.length === 0) log('The app has no addons.');
  },
};
