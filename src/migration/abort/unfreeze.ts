import type { Step } from '../phase.js';

/** The source may be changed again. */
export const unfreeze: Step = {
  title: 'Unfreeze the source application',
  async run({ migration, source, log }) {
    if (!(await source.findApp({ ref: migration.appId }))) {
      return log(`${migration.srcAppName} no longer exists.`);
    }
    await source.thaw({ app: migration.appId, migration: migration.id });
    log(`${migration.srcAppName} is as it was.`);
  },
};
