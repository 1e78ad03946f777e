import { bytes } from '../../shared/bytes.js';
import type { Step } from '../phase.js';

/** The destination fetches the build from the source, directly. */
export const importBuild: Step = {
  title: 'Import the last successful deployment',
  async run({ migration, source, destination, newAppId, sourceApp, log }) {
    const { build } = await sourceApp();
    if (!build) return log('Nothing has been deployed yet.');
    const grant = await source.grantBuild({ app: migration.appId });
    await destination.fetchBuild({ app: newAppId, build, ...grant });
    log(`Build ${build.id}, ${bytes(build.size)}, digest verified.`);
  },
};
