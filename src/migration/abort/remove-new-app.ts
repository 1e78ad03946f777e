import type { Step } from '../phase.js';

/** Removes what was made in the destination, with its databases. */
export const removeNewApp: Step = {
  title: ({ destination }) => `Remove the application from ${destination}`,
  async run({ destination, newAppId, remember, log }) {
    await destination.deleteApp({ app: newAppId });
    await remember({ newAppId: null });
    log(`Nothing of it is left on ${destination.name}.`);
  },
};
