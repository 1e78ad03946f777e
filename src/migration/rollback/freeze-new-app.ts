import type { Step } from '../phase.js';

/** Nothing about the app changes while it goes back. */
export const freezeNewApp: Step = {
  title: ({ destination }) => `Freeze the application on ${destination}`,
  async run({ migration, destination, newAppId, log }) {
    await destination.freeze({ app: newAppId, migration: migration.id });
    log(`${migration.dstAppName} keeps working; what was set there since the switch stays there.`);
  },
  async undo({ migration, destination, newAppId, log }) {
    await destination.thaw({ app: newAppId, migration: migration.id });
    log('It can be changed again.');
  },
};
