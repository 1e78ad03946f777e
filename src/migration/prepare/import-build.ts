import pRetry from 'p-retry';
import type { Region } from '../../region/region.js';
import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';
import type { Migration } from '../migration.js';
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
      const wanted = { app: newAppId, build, deployment, lastDeployment, ...grant };
      await destination.fetchBuild(wanted).catch(async (error) => {
        await requireWhole(source, migration);
        throw error;
      });
    };
    // The source's agent may go away while the build is on its way; what has arrived is kept.
    await pRetry(fetch, { retries: 5, minTimeout: 250, signal, shouldRetry: isPassing });
    log(`Build ${build.id}, ${bytes(build.size)}, digest verified.`);
  },
};

/**
 * When the build that is sent is not what it was, fetching it again cannot help.
 * @throws Refusal `conflict`
 */
async function requireWhole(source: Region, { appId, srcAppName }: Migration): Promise<void> {
  await source.verifyBuild({ app: appId }).catch((error) => {
    if (!(error instanceof Refusal && error.kind === 'conflict')) throw error;
    const what = `${error.message} ${srcAppName} is frozen: abort this migration before that, and begin another afterwards.`;
    throw Refusal.conflict('no_build', what);
  });
}

function isPassing({ error }: { readonly error: Error }): boolean {
  return error instanceof Refusal && error.kind === 'unavailable';
}
