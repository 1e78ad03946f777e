import type { Step } from '../phase.js';

export const importSettings: Step = {
  title: 'Import settings',
  async run({ destination, newAppId, sourceApp, log }) {
    const { settings } = await sourceApp();
    await destination.setSettings({ app: newAppId, settings });
    log(`Copied ${Object.keys(settings).length}.`);
  },
};
