import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { pino } from 'pino';
import { type Agent, startAgent } from '../../src/agent/agent.js';
import { Accounts } from '../../src/api/auth/accounts.js';
import type { AccountTables } from '../../src/api/auth/schema.js';
import { windowLength } from '../../src/migration/window.js';
import { type RegionEntry, Registry } from '../../src/region/registry.js';
import { startServer } from '../../src/server/server.js';
import { newSecret } from '../../src/shared/ids.js';
import { createDatabase } from '../database.js';
import { asking, joining } from './asking.js';

/** A server with regions, its first user (`owner`), and whoever else is called for. */
export async function startStage({
  regions = ['here', 'there'],
  /** Those of the regions that have no PostgreSQL. */
  bare = [] as readonly string[],
  /** Stands between the server and an agent. */
  via = async (entry: RegionEntry): Promise<RegionEntry> => entry,
  window = windowLength,
  holdBudget = 30_000,
  copyBudget = 600_000,
} = {}) {
  const logger = pino({ level: 'silent' });
  const dir = await mkdtemp(join(tmpdir(), 'godwit-platform-'));
  const database = await createDatabase();
  const agentToken = newSecret();
  const token = newSecret();
  const agents = new Map<string, Agent>();
  const start = async (name: string) => {
    const agent = await startAgent({
      ...{ name, dir: join(dir, name), host: '127.0.0.1', port: 0, edgePort: 0, edgeHttpsPort: 0 },
      ...{ token: agentToken, postgresql: bare.includes(name) ? [] : null, logger },
    });
    agents.set(name, agent);
    return { name, url: `http://${agent.address}`, token: agentToken };
  };
  const entries: RegionEntry[] = [];
  for (const name of regions) entries.push(await via(await start(name)));
  const registry = new Registry(entries);
  const server = await startServer({
    ...{ host: '127.0.0.1', port: 0, database: { url: database.url }, token, logger, registry },
    ...{ requestsPerMinute: 100_000, window, holdBudget, copyBudget, verifyShare: 1 },
    publicUrl: null,
  });
  const pool = new pg.Pool({ connectionString: database.url });
  const tables = new Kysely<AccountTables>({ dialect: new PostgresDialect({ pool }) });
  const url = `http://${server.address}`;
  return {
    url,
    token,
    /** Where everything is kept; no answer may say so. */
    dir,
    registry,
    databaseUrl: database.url,
    /** Of users and their tokens. */
    tables,
    /** Makes an account. @returns its API token */
    join: joining(new Accounts(tables)),
    ask: asking(url, token),
    async closeRegion(name: string): Promise<void> {
      await agents.get(name)?.close({ stop: true });
      agents.delete(name);
    },
    async close(): Promise<void> {
      await pool.end();
      await server.close();
      await Promise.all([...agents.values()].map((agent) => agent.close({ stop: true })));
      await database.drop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export type Stage = Awaited<ReturnType<typeof startStage>>;
