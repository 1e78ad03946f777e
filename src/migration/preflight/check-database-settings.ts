import { messageOf } from '../../shared/errors.js';
import { platformThere } from '../databases.js';
import { check } from './check.js';

/** Every database can be followed as it is set up. */
export const checkDatabaseSettings = check({
  title: 'Check the settings of the databases',
  async look({ migration, sourceApp, source, destination, log, obstacle }) {
    const { addons } = await sourceApp();
    // Where the destination does not answer, other checks say so.
    const offers = await destination.describe({}).then(
      (description) => description.offers,
      () => [],
    );
    for (const addon of addons) {
      const { id, product, version } = addon;
      const to = platformThere(addon, migration, offers);
      const found = await source.inspect({ database: id, to }).catch((error) => {
        obstacle(messageOf(error));
        return null;
      });
      if (!found) continue;
      const { unsuitable } = found;
      for (const line of unsuitable) obstacle(`${product} ${version}: ${line}`);
      if (unsuitable.length === 0) log(`${product} ${version} can be followed.`);
    }
    if (addons.length === 0) log('The app has no databases.');
  },
});
