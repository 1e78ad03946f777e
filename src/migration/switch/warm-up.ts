import { until } from '../../shared/until.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import type { Way } from './way.js';

/** How long the app may take to start ahead, in milliseconds; nobody waits for it yet. */
const patience = 60_000;

/**
 * Starts the web processes of the app that is to serve, if it can do with databases that only read
 * so far: then nobody has to wait for that. Workers stay away as long as the others work.
 */
export const warmUp = (way: Way): Step => ({
  title: 'Start web processes ahead',
  async foresee({ sourceApp }) {
    const { settings } = await sourceApp();
    return [settings.prewarm ? 'They start while their databases only read.' : notWanted];
  },
  async run(context) {
    const { signal, log } = context;
    const [from, to] = [way.from(context), way.to(context)];
    const [serving, next] = await Promise.all([
      from.region.findApp({ ref: from.app }),
      to.region.findApp({ ref: to.app }),
    ]);
    if (!serving?.started) return log('It is stopped.');
    if (!next?.settings.prewarm) return log(notWanted);
    const { region, app } = to;
    await region.warm({ app });
    const { state, reason } = await until(
      async () => {
        const health = await region.health({ app });
        return health.state !== 'starting' && health;
      },
      { timeout: patience, every: 50, signal, what: 'the web processes to start' },
    ).catch((error) => {
      if (signal.aborted) throw error;
      return { state: 'unhealthy', reason: `They had not started after ${patience / 1_000} s.` };
    });
    if (state === 'healthy') return log('They run, and take requests once these are released.');
    await region.stop({ app });
    log(
      `They do not start while their databases only read; they will later. ${reason ?? ''}`.trim(),
    );
  },
  async undo(context) {
    const { region, app } = way.to(context);
    await orGone(region.stop({ app }));
  },
});

const notWanted =
  'Not wanted: they start while requests are held. The setting `prewarm` changes that.';
