import { logDrainId } from '../../region/attachments.js';
import { twinOf } from '../databases.js';
import { importAll } from './import-all.js';

/** Those of addons go to the addons that take their place. */
export const importLogDrains = importAll({
  title: 'Import log drains',
  of: ({ logDrains }, newAppId) =>
    logDrains.map((drain) => {
      const addon = drain.addon && twinOf(newAppId, drain.addon);
      const id = logDrainId({ addon, url: drain.url });
      return { kind: 'logDrain', item: { ...drain, id, addon } };
    }),
});
