import { Refusal } from '../../shared/errors.js';
import { until } from '../../shared/until.js';
import type { Step } from '../phase.js';
import type { Way } from './way.js';

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
    await region.stop({ app });
    record.mark('stopped');
    log('No process of it runs.');
  },
  async undo(context) {
    const { migration, remember, log } = context;
    const { region, app, name } = way.from(context);
    if (migration.wasStarted) {
      await region.start({ app });
      await until(async () => (await region.health({ app })).state !== 'starting', {
        timeout: restartPatience,
        what: `${name} to start again`,
      });
      log('It runs again.');
    }
    await remember({ wasStarted: null });
  },
});
