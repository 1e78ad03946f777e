import type { Step } from '../phase.js';

/** Creates the app in the destination, not started; nobody but the migration can change it yet. */
export const createApp: Step = {
  title: ({ destination }) => `Create the application on ${destination}`,
  async foresee({ migration, destination }) {
    return [`${migration.dstAppName} on ${destination.name}, not started.`];
  },
  async run({ migration, destination, newAppId, sourceApp, remember, log }) {
    const { owner, stack } = await sourceApp();
    await destination.createApp({ id: newAppId, name: migration.dstAppName, owner });
    await destination.setSettings({ app: newAppId, settings: {}, stack });
    await remember({ newAppId });
    log(`Created ${migration.dstAppName} (${newAppId}).`);
  },
};
