import { until } from '../shared/until.js';
import type { ApiClient } from './api-client.js';

/** Waits until a deployment has succeeded. @throws with what it printed when it failed */
export async function deployed(client: ApiClient, app: string, id: string): Promise<void> {
  const { status, output } = await until(
    async () => {
      const deployment = await client.deployment(app, id);
      return deployment.status !== 'building' && deployment;
    },
    { timeout: 300_000, every: 200, what: 'the deployment' },
  );
  if (status !== 'success') throw new Error(`The deployment failed:\n${output}`);
}
