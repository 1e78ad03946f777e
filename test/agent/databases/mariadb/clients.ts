import { setTimeout as sleep } from 'node:timers/promises';
import mysql from 'mysql2/promise';
import { until } from '../../../../src/shared/until.js';
import { writePause } from '../test-databases.js';

/** Inserts one row after the other, until the database takes no more. */
export class Writer {
  readonly acknowledged: number[] = [];
  readonly ended: Promise<void>;

  constructor(client: mysql.Connection, first = 1) {
    this.ended = this.#write(client, first).catch(() => undefined); // its session was ended
  }

  async #write(client: mysql.Connection, first: number): Promise<void> {
    for (let id = first; ; id += 1) {
      await client.query('INSERT INTO written VALUES (?)', [id]);
      this.acknowledged.push(id);
      await sleep(writePause);
    }
  }

  /** Returns when it has written so many. */
  async past(count: number): Promise<void> {
    await until(() => this.acknowledged.length >= count, { timeout: 60_000, what: 'the writes' });
  }
}

/** What {@link Writer}s wrote. */
export async function written(client: mysql.Connection): Promise<unknown[]> {
  const [rows] = await client.query<mysql.RowDataPacket[]>('SELECT id FROM written ORDER BY id');
  return rows.map(({ id }) => id);
}

/** Clients that come again and again, as those of a pool do whose sessions are ended. */
export class Knocking {
  readonly #url: string;
  readonly #clients: Promise<void>[];
  #isOver = false;
  readonly begun: Promise<unknown>;

  constructor(url: string) {
    this.#url = url;
    const first = Array.from({ length: 16 }, () => this.#knock());
    this.begun = Promise.all(first);
    this.#clients = first.map(async (knocked) => {
      await knocked;
      while (!this.#isOver) await this.#knock();
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #knock(): Promise<void> {
    const client = await mysql.createConnection(this.#url).catch(() => null); // it is shown the door
    client?.on('error', () => undefined);
    await client?.query('SELECT 1').catch(() => undefined);
    client?.destroy();
  }
}
