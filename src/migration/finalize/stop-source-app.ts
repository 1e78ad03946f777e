import { until } from '../../shared/until.js';
import type { Step } from '../phase.js';

/** How long the source app gets to be healthy again when finalize backs out, in milliseconds. */
const restartPatience = 20_000;

/** Ends the app's processes in the source, workers too, so that nothing writes there any more. */
export const stopSourceApp: Step = {
  title: 'Stop the source application',
  whileHolding: true,
  async run({ migration, source, sourceApp, remember, log }) {
    if (migration.wasStarted === null) {
      await remember({ wasStarted: (await sourceApp()).started });
    }
    await source.stop({ app: migration.appId });
    log('No process of it runs.');
  },
  async undo({ migration, source, remember, log }) {
    if (migration.wasStarted) {
      await source.start({ app: migration.appId });
      await until(
        async () => (await source.health({ app: migration.appId })).state !== 'starting',
        { timeout: restartPatience, what: `${migration.srcAppName} to start again` },
      );
      log('It runs again.');
    }
    await remember({ wasStarted: null });
  },
};
