import { messageOf } from '../../shared/errors.js';
import { check } from './check.js';

/** Every database can be followed as it is set up. */
export const checkDatabaseSettings = check({
  title: 'Check the settings of the databases',
  async look({ sourceApp, source, log, obstacle }) {
    const { addons } = await sourceApp();
    for (const { id, product, version } of addons) {
      const found = await source.inspect({ database: id }).catch((error) => {
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
