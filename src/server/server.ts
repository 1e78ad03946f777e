import { Kysely, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import { buildApi } from '../api/api.js';
import { Accounts } from '../api/auth/accounts.js';
import { type AccountTables, createAccountTables } from '../api/auth/schema.js';
import { Signer } from '../api/auth/signer.js';
import { EventLog } from '../events/event-log.js';
import { createEventTables, type EventTables } from '../events/schema.js';
import { Webhooks } from '../events/webhooks.js';
import { Engine } from '../migration/engine.js';
import type { MigrationTables } from '../migration/schema.js';
import type { Registry } from '../region/registry.js';
import { messageOf, Refusal } from '../shared/errors.js';
import { listeningPort } from '../shared/listening-port.js';
import type { Logger } from '../shared/logging.js';
import { startEmbeddedPostgresql } from './embedded-postgresql.js';

export interface ServerOptions {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** A PostgreSQL to keep everything in, or the folder of one of the server's own. */
  readonly database: { readonly url: string } | { readonly dir: string };
  readonly registry: Registry;
  /** The API token of the first user. */
  readonly token: string;
  readonly requestsPerMinute: number;
  /** How long a switch can be taken back, in milliseconds. */
  readonly window: number;
  /** For how long a switch may let requests wait, in milliseconds. */
  readonly holdBudget: number;
  /** For how much longer, while what cannot be copied before is copied, in milliseconds. */
  readonly copyBudget: number;
  readonly publicUrl: string | null;
  readonly logger: Logger;
}

export interface Server {
  /** `host:port` */
  readonly address: string;
  /** Resolves if this server ran the phases and must not any more: its process must end at once. */
  readonly lost: Promise<Error>;
  /** Ends the server; phases under way continue at its next start. */
  close(): Promise<void>;
}

/** Starts a control plane: its database, the engine, and the public API. */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { host, port, database, registry, token, logger } = options;
  const { window, holdBudget, copyBudget } = options;
  const embedded = 'dir' in database ? await startEmbeddedPostgresql(database.dir) : null;
  const databaseUrl = 'dir' in database ? embedded?.url : database.url;
  if (databaseUrl === undefined) throw new Error('There is no database.');

  const limits = { max: 20, connectionTimeoutMillis: 10_000 };
  const pool = new pg.Pool({ connectionString: databaseUrl, ...limits });
  pool.on('error', (error) => logger.warn({ err: error }, 'a database connection broke'));
  const dialect = new PostgresDialect({ pool });
  const accountTables = new Kysely<AccountTables>({ dialect });
  await createAccountTables(accountTables);
  const accounts = new Accounts(accountTables);
  await accounts.ensureUser({ username: 'owner', email: 'owner@godwit.localhost' }, token);
  const db = new Kysely<MigrationTables>({ dialect });
  const signer = await Signer.open(accountTables);
  const eventTables = new Kysely<EventTables>({ dialect });
  await createEventTables(eventTables);
  const events = new EventLog(eventTables);
  const sign = (text: string) => signer.signDetached(text);
  const webhooks = new Webhooks({ events, registry, sign, logger });
  const chores = [() => webhooks.dispatch()];
  const migrations = new Engine({
    ...{ db, databaseUrl, regions: registry, people: accounts, chores, logger },
    ...{ window, holdBudget, copyBudget },
  });
  let lose: (why: Error) => void = () => undefined;
  const lost = new Promise<Error>((resolve) => {
    lose = resolve;
  });
  await migrations.start(lose);

  const { publicUrl, requestsPerMinute } = options;
  const api = await buildApi(
    { registry, migrations, events, webhooks, accounts, signer, logger, publicUrl },
    {
      requestsPerMinute,
      checkHealth: async () => {
        await sql`SELECT 1`.execute(db).catch((error) => {
          logger.error({ err: error }, 'the database does not answer');
          throw new Refusal('unavailable', `The database does not answer: ${messageOf(error)}.`);
        });
      },
    },
  );
  await api.listen({ host, port });
  return {
    address: `${host}:${listeningPort(api.server)}`,
    lost,
    async close() {
      await api.close();
      await migrations.stop();
      await pool.end();
      await embedded?.stop();
    },
  };
}
