import type { Step } from '../phase.js';

export const importLimits: Step = {
  title: 'Import limits',
  async run({ destination, newAppId, sourceApp, log }) {
    const { limits, flags } = await sourceApp();
    await destination.setSettings({ app: newAppId, settings: {}, limits, flags });
    log(`Copied ${Object.keys(limits).length} limits and ${Object.keys(flags).length} flags.`);
  },
};
