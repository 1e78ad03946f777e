import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { z } from 'zod';
import type { ApiClient } from '../../client/api-client.js';
import { deployed } from '../../client/deployed.js';
import { packFolder } from '../../client/pack-folder.js';
import { until } from '../../shared/until.js';

const example = fileURLToPath(new URL('../../../examples/bird-log', import.meta.url));

/**
 * Makes an app of the example, with a database of so many rows, and waits until it serves them.
 * @param how.version of PostgreSQL; the newest when not given
 * @returns its address
 */
export async function deployBirdLog(
  client: ApiClient,
  app: string,
  { edge, rows, version }: { edge: string; rows: number; version?: string },
): Promise<string> {
  const { url } = await client.createApp(app);
  await client.addAddon(app, { product: 'postgresql', plan: 'postgresql-sandbox', version });
  // It can start while its database only reads: its schema is there then.
  await client.patch(`/apps/${app}`, { app: { prewarm: true } }, z.unknown());
  await client.setVariables(app, { SEED_ROWS: String(rows) });
  await deployed(client, app, await client.deploy(app, packFolder(example)));
  await client.scale(app, { web: 2, worker: 1 });
  await seeded(edge, new URL(url).hostname, rows);
  return url;
}

async function seeded(edge: string, host: string, rows: number): Promise<void> {
  const stats = z.object({ rows: z.number() });
  await until(
    async () => {
      const answer = await request(`${edge}/api/stats`, { headers: { host } });
      const text = await answer.body.text();
      return answer.statusCode === 200 && stats.parse(JSON.parse(text)).rows >= rows;
    },
    { timeout: 600_000, every: 250, what: 'the rows to be written' },
  );
}

/** Where the database of the app is. @throws when it has none */
export async function databaseUrl(client: ApiClient, app: string): Promise<string> {
  const variables = await client.variables(app);
  const found = variables.find(({ name }) => name === 'DATABASE_URL');
  if (!found) throw new Error('The application has no DATABASE_URL.');
  return found.value;
}
