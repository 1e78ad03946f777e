import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';

/** Provisions every addon in the destination, its database made to follow. */
export const provisionAddons: Step = {
  title: ({ destination }) => `Provision addons on ${destination}`,
  async foresee({ sourceApp }) {
    const { addons } = await sourceApp();
    return addons.map(({ product, version, plan }) => `${product} ${version}, plan ${plan}.`);
  },
  async run(context) {
    const { destination, newAppId, log } = context;
    const pairs = await databasePairs(context);
    for (const { addon, twin } of pairs) {
      const { product, plan, version } = addon;
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
