import type { Step } from '../phase.js';

/** Removes what was made in the destination, with its databases. */
export const removeNewApp: Step = {
  title: ({ destination }) => `Remove the application from ${destination}`,
  async run({ migration, destination, newAppId, remember, log }) {
    // A destination in which nothing was begun need not even be there.
    if (!migration.steps.some(({ phase }) => phase === 'prepare')) return log('Nothing was made.');
    await destination.deleteApp({ app: newAppId });
    await remember({ newAppId: null });
    log(`Nothing of it is left on ${destination.name}.`);
  },
};
