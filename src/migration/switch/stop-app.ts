import { Refusal } from '../../shared/errors.js';
import { until } from '../../shared/until.js';
import type { Step } from '../phase.js';
import type { Way } from './way.js';

/** How long processes get to end by themselves, unless that is more than a third of the time that is left; in milliseconds. */
const grace = 10_000;

/** How long the app gets to be healthy again when the switch backs out, in milliseconds. */
const restartPatience = 20_000;

/** Ends the processes of the app that served, workers too, so that nothing writes there any more. */
export const stopApp = (title: Step['title'], way: Way): Step => ({
  title,
  whileHolding: true,
  async run(context) {
    const { migration, remember, record, log } = context;
    const { region, app, name } = way.from(context);
    if (migration.wasStarted === null) {
      const found = await region.findApp({ ref: app });
      if (!found) throw Refusal.notFound('App', `${name} no longer exists on ${region.name}.`);
      await remember({ wasStarted: found.started });
    }
    const left = (migration.holdUntil?.getTime() ?? 0) - Date.now();
    await region.stop({ app, grace: Math.max(0, Math.min(grace, Math.round(left / 3))) });
    record.mark('stopped');
    log('No process of it runs.');
  },
  async undo(context) {
    const { migration, remember, log } = context;
    const { region, app, name } = way.from(context);
    if (migration.wasStarted) {
      await region.start({ app });
      const { state, reason } = await until(
        async () => {
          const health = await region.health({ app });
          return health.state !== 'starting' && health;
        },
        { timeout: restartPatience, what: `${name} to start again` },
      );
      log(state === 'healthy' ? 'It runs again.' : `It was started again. ${reason ?? ''}`);
    }
    await remember({ wasStarted: null });
  },
});
