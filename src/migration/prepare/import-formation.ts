import type { Step } from '../phase.js';

/** The processes are wanted, and stay stopped until finalize starts the app. */
export const importFormation: Step = {
  title: 'Import the container formation',
  async foresee({ sourceApp }) {
    const { formation } = await sourceApp();
    return formation.map(({ name, amount }) => `${name}: ${amount}`);
  },
  async run({ destination, newAppId, sourceApp, log }) {
    const { formation } = await sourceApp();
    await destination.scale({ app: newAppId, formation });
    log(`Copied ${formation.length} process types; none is started yet.`);
  },
};
