import { until } from '../../shared/until.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** Starts the app in the destination and waits until it is healthy, or it is clear that it will not be. */
export const startNewApp: Step = {
  title: ({ destination }) => `Start the application on ${destination}`,
  whileHolding: true,
  async run({ migration, destination, newAppId, signal, log }) {
    if (!migration.wasStarted) return log('It was stopped, and stays stopped.');
    await destination.start({ app: newAppId });
    await until(
      async () => {
        const { state, reason } = await destination.health({ app: newAppId });
        if (state === 'unhealthy')
          throw new Error(reason ?? 'The new app does not become healthy.');
        return state === 'healthy';
      },
      { timeout: Number.POSITIVE_INFINITY, every: 25, signal, what: 'the new app to be healthy' },
    );
    log('It is healthy.');
  },
  async undo({ destination, newAppId }) {
    await orGone(destination.stop({ app: newAppId }));
  },
};
