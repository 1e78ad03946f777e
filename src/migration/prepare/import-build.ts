import pRetry from 'p-retry';
import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';
import type { Step } from '../phase.js';

/** The destination fetches the build from the source, directly, with the record of its deployment. */
export const importBuild: Step = {
  title: 'Import the last successful deployment',
  async foresee({ sourceApp }) {
    const { build } = await sourceApp();
    return [build ? `Build ${build.id}, ${bytes(build.size)}.` : 'Nothing has been deployed yet.'];
  },
  async run({ migration, source, destination, newAppId, sourceApp, signal, log }) {
    const { build, lastDeployment } = await sourceApp();
    if (!build) return log('Nothing has been deployed yet.');
    const deployments = await source.listDeployments({ app: migration.appId });
    const deployment = deployments.find(({ id }) => id === lastDeployment?.successful) ?? null;
    const fetch = async () => {
      const grant = await source.grantBuild({ app: migration.appId });
      await destination.fetchBuild({ app: newAppId, build, deployment, lastDeployment, ...grant });
    };
    // The source's agent may go away while the build is on its way; what has arrived is kept.
    await pRetry(fetch, { retries: 5, minTimeout: 250, signal, shouldRetry: isPassing });
    log(`Build ${build.id}, ${bytes(build.size)}, digest verified.`);
  },
};

function isPassing({ error }: { readonly error: Error }): boolean {
  return error instanceof Refusal && error.kind === 'unavailable';
}
