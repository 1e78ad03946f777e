import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { messageOf } from '../shared/errors.js';
import type { Logger } from '../shared/logging.js';

/** How often the lock is asked for, and once held, whether the session still is; in milliseconds. */
const every = { asking: 500, holding: 1_000 };
/** A database that has not answered for so long is taken for gone, in milliseconds. */
const patience = 3_000;

/**
 * Of several servers on one database, one runs the phases: the one whose session holds an advisory
 * lock. The lock goes with the session, and PostgreSQL ends a session that it no longer reaches
 * later than its server gives up the lead, so that there are never two leaders.
 */
export class Leadership {
  readonly #databaseUrl: string;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  #life: Promise<void> = Promise.resolve();

  constructor(databaseUrl: string, logger: Logger) {
    this.#databaseUrl = databaseUrl;
    this.#logger = logger;
  }

  /**
   * Strives for the lead until it is closed.
   * @param parts.won called once, when this server has the lead
   * @param parts.lost called when it has had it and has it no more: it must stop at once
   */
  strive(parts: { won: () => Promise<void>; lost: (why: Error) => void }): void {
    this.#life = this.#live(parts);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#life;
  }

  async #live({ won, lost }: Parameters<Leadership['strive']>[0]): Promise<void> {
    const { signal } = this.#closing;
    const wait = (time: number) => sleep(time, undefined, { signal }).catch(() => undefined);
    let leads = false;
    while (!signal.aborted) {
      const client = new pg.Client({
        connectionString: this.#databaseUrl,
        connectionTimeoutMillis: patience,
        query_timeout: patience,
      });
      client.on('error', () => undefined); // the next query rejects with it
      try {
        await client.connect();
        // So that the session of a server that is cut off ends, and with it its lead.
        await client.query(
          'SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 5',
        );
        while (!signal.aborted && !(await hasLock(client))) await wait(every.asking);
        if (signal.aborted) return;
        leads = true;
        this.#logger.info('this server runs the phases');
        await won();
        while (!signal.aborted) {
          await wait(every.holding);
          await client.query('SELECT 1');
        }
      } catch (error) {
        if (leads) return lost(new Error(`The lead is lost: ${messageOf(error)}.`));
        this.#logger.warn({ err: error }, 'the database does not answer; trying again');
        await wait(every.asking);
      } finally {
        await client.end().catch(() => undefined); // it may be broken
      }
    }
  }
}

async function hasLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(hashtext('godwit leader')) AS locked`,
  );
  return rows[0]?.locked === true;
}
