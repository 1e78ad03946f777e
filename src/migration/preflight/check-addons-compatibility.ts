import type { Inspection } from '../../region/model.js';
import { bytes } from '../../shared/bytes.js';
import { messageOf } from '../../shared/errors.js';
import { platformThere } from '../databases.js';
import { check } from './check.js';

const ways: Readonly<Record<Inspection['move']['kind'], (found: Inspection) => string>> = {
  live: () => 'moves live: the app stays up while it is copied',
  offline: () =>
    'moves offline: what does not change is copied while the app stays up, the rest while it is stopped and requests wait',
};

/** Every addon's plan is offered by the destination, and its database can move. */
export const checkAddonsCompatibility = check({
  title: 'Check addons compatibility',
  async look({ migration, sourceApp, source, destination, log, obstacle }) {
    const { addons } = await sourceApp();
    const offers = await destination.describe({}).then(
      (description) => description.offers,
      (error) => {
        obstacle(messageOf(error));
        return null;
      },
    );
    for (const addon of addons) {
      const { product, plan } = addon;
      const offer = offers?.find((one) => one.product === product);
      if (!offers) {
        log(`Whether ${destination.name} offers ${product} is not known.`);
      } else if (!offer) {
        obstacle(
          `${destination.name} does not offer ${product}. Have it installed there, or choose another destination.`,
        );
      } else if (!offer.plans.includes(plan)) {
        obstacle(
          `${destination.name} has no plan "${plan}" for ${product}; it has ${offer.plans.join(', ')}.`,
        );
      }
      const to = platformThere(addon, migration, offers ?? []);
      const database = await source.inspect({ database: addon.id, to }).catch((error) => {
        obstacle(messageOf(error));
        return null;
      });
      if (!database) continue;
      for (const line of database.obstacles) obstacle(`${product}: ${line}`);
      const how =
        database.obstacles.length > 0 ? 'cannot move as it is' : ways[database.move.kind](database);
      log(`${product} ${database.version}, plan ${plan}, ${bytes(database.size)}: ${how}.`);
      for (const remark of database.remarks) log(`${product}: ${remark}`);
    }
    if (addons.length === 0) log('The app has no addons.');
  },
});
