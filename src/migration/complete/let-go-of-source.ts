import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** The source app stays, stopped, unless its owner asked for its removal. */
export const letGoOfSource: Step = {
  title: ({ removeSource }) =>
    removeSource ? 'Remove the source application' : 'Unfreeze the source application',
  async run({ migration, source, log }) {
    const { appId, srcAppName, removeSource } = migration;
    if (removeSource) {
      await source.deleteApp({ app: appId });
      return log(`Nothing of ${srcAppName} is left on ${source.name}.`);
    }
    await orGone(source.thaw({ app: appId, migration: migration.id }));
    log(`${srcAppName} stays on ${source.name}, stopped, with its databases as they were last.`);
  },
};
