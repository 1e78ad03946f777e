import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../shared/logging.js';
import { changesChannel, runsChannel } from './schema.js';

/** Before a broken connection is made anew, in milliseconds. */
const pause = 500;
/** How often it is asked whether the connection still leads anywhere, and how long that may take. */
const pulse = { every: 10_000, patience: 3_000 };

/**
 * Hears, from whichever server it comes, that something has changed: PostgreSQL tells over one
 * connection (LISTEN). What was said while that was broken is made up for by waking everybody.
 */
export class Feed {
  readonly #databaseUrl: string;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  readonly #ofChanges = new Map<string, Set<() => void>>();
  readonly #ofRuns = new Set<() => void>();
  #life: Promise<void> = Promise.resolve();

  constructor(databaseUrl: string, logger: Logger) {
    this.#databaseUrl = databaseUrl;
    this.#logger = logger;
  }

  start(): void {
    this.#life = this.#live();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#life;
  }

  /** Calls `wake` when anything of the migration may have changed. @returns to be called to end that */
  onChange(migration: string, wake: () => void): () => void {
    const others = this.#ofChanges.get(migration) ?? new Set();
    this.#ofChanges.set(migration, others.add(wake));
    return () => {
      others.delete(wake);
      if (others.size === 0) this.#ofChanges.delete(migration);
    };
  }

  /** Calls `wake` when a run may have to begin. */
  onRun(wake: () => void): void {
    this.#ofRuns.add(wake);
  }

  async #live(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      try {
        await this.#listen(signal);
      } catch (error) {
        this.#logger.warn({ err: error }, 'the database is not heard; trying again');
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  /** Returns when `signal` fires. @throws when the connection breaks */
  async #listen(signal: AbortSignal): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#databaseUrl,
      query_timeout: pulse.patience,
    });
    const ended = new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('end', () => reject(new Error('The connection ended.')));
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    ended.catch(() => undefined); // heard of below
    client.on('notification', ({ channel, payload }) => {
      const wakes = channel === runsChannel ? this.#ofRuns : this.#ofChanges.get(payload ?? '');
      for (const wake of wakes ?? []) wake();
    });
    try {
      await client.connect();
      await client.query(`LISTEN ${changesChannel}; LISTEN ${runsChannel}`);
      for (const wakes of [this.#ofRuns, ...this.#ofChanges.values()]) {
        for (const wake of wakes) wake();
      }
      await Promise.race([ended, feelPulse(client, signal)]);
    } finally {
      await client.end();
    }
  }
}

/** Returns when `signal` fires. @throws when the server does not answer: nothing would be heard of it */
async function feelPulse(client: pg.Client, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(pulse.every, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    await client.query('SELECT 1');
  }
}
