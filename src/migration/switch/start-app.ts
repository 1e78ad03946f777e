import { until } from '../../shared/until.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import type { Way } from './way.js';

/** How long an app gets to end by itself that nobody came to, while requests wait; in milliseconds. */
const grace = 1_000;

/**
 * Starts the web processes of the app that is to serve and waits until it is healthy, or it is clear that it will
 * not be. Workers come once it serves: what they wrote before would be lost if the switch were taken back.
 */
export const startApp = (title: Step['title'], way: Way): Step => ({
  title,
  whileHolding: true,
  async run(context) {
    const { migration, signal, record, log } = context;
    const { region, app } = way.to(context);
    if (!migration.wasStarted) {
      record.mark('booted');
      return log('It was stopped, and stays stopped.');
    }
    await region.warm({ app });
    let awaited = '';
    await until(
      async () => {
        const { state, reason, processes } = await region.health({ app });
        if (state === 'unhealthy') throw new Error(reason ?? 'The app does not become healthy.');
        awaited = processes
          .filter(({ state }) => state !== 'running')
          .map(({ name, state }) => `${name} (${state})`)
          .join(', ');
        return state === 'healthy';
      },
      { timeout: Number.POSITIVE_INFINITY, every: 25, signal, what: 'the app to be healthy' },
    ).catch((error) => {
      if (signal.aborted) log(`Not there yet: ${awaited || 'all of it'}.`);
      throw error;
    });
    record.mark('booted');
    log('It is healthy.');
  },
  async undo(context) {
    const { region, app } = way.to(context);
    await orGone(region.stop({ app, grace }));
  },
});
