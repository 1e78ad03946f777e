import type { Step } from '../phase.js';

/** The canonical domain is not among them: it comes with the domains. */
export const importSettings: Step = {
  title: 'Import settings',
  async foresee({ sourceApp }) {
    const { settings } = await sourceApp();
    return Object.entries(settings).map(([name, isOn]) => `${name}: ${isOn ? 'on' : 'off'}`);
  },
  async run({ destination, newAppId, sourceApp, log }) {
    const { settings } = await sourceApp();
    await destination.setSettings({ app: newAppId, settings });
    const on = Object.entries(settings).filter(([, isOn]) => isOn);
    log(`Copied ${Object.keys(settings).length}, ${on.length} of them switched on.`);
  },
};
