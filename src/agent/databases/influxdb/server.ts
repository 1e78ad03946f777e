import { request } from 'undici';
import { z } from 'zod';
import { serviceAccount } from '../../../shared/account.js';
import { isAlive } from '../../../shared/processes.js';
import { Service } from '../../../shared/service.js';
import { until } from '../../../shared/until.js';
import type { Login } from '../offline/record.js';
import type { OfflineServer } from '../offline/server.js';
import { configuration } from './configuration.js';

/** How long it may take to start, in milliseconds: it reads the index of all that it has. */
const startPatience = 300_000;

/** How long it gets to end by itself, in milliseconds. What it acknowledged is in its files in any case. */
const endPatience = 10_000;

/** What is said to a query (InfluxDB 1.x documentation, "InfluxDB API reference"). */
const answer = z.object({
  error: z.string().optional(),
  results: z.array(z.object({ error: z.string().optional() })).default([]),
});

/** One `influxd` in a folder of its own. */
export class InfluxdbServer extends Service implements OfflineServer {
  readonly #program: () => string;

  /** @param program `influxd`, asked for once it is needed */
  constructor(folder: string, program: () => string) {
    super(folder, { name: 'InfluxDB', account: serviceAccount('influxdb') });
    this.#program = program;
  }

  /** Data is written to files of this kind once, and then read or replaced by others. */
  readonly lasts = (path: string) => path.startsWith('data/') && path.endsWith('.tsm');

  async isRunning(): Promise<boolean> {
    return (await this.identity()) !== null;
  }

  async start(port: number, signal?: AbortSignal): Promise<void> {
    const running = (await this.identity()) ?? (await this.#launch(port));
    await until(
      async () => {
        if (!isAlive(running)) {
          throw new Error(`InfluxDB ended while starting. ${await this.lastLogLines()}`);
        }
        return answers(port);
      },
      { timeout: startPatience, every: 20, signal, what: 'InfluxDB to answer' },
    );
  }

  /** The first user of a server must be an administrator; the app's is, as the server is its own. */
  async welcome(port: number, login: Login): Promise<void> {
    const { user, password, database } = login;
    // As long as there is no administrator, nobody asks who says this.
    const first = `CREATE USER ${name(user)} WITH PASSWORD ${text(password)} WITH ALL PRIVILEGES`;
    await query(port, first, login);
    await query(port, `CREATE DATABASE ${name(database)}`, login);
  }

  async stop(signal?: AbortSignal): Promise<void> {
    await this.end('SIGTERM', endPatience, signal).catch((error) => {
      if (signal?.aborted) throw error;
    });
    await this.killAll();
  }

  async #launch(port: number) {
    const program = this.#program();
    await this.killAll();
    await this.makeDataFolder();
    await this.writeFile('influxdb.conf', configuration(port));
    return this.launchProcess(program, ['run', '-config', 'influxdb.conf']);
  }
}

async function answers(port: number): Promise<boolean> {
  const { statusCode, body } = await request(`http://127.0.0.1:${port}/ping`).catch(() => ({
    statusCode: 0, // not yet
    body: null,
  }));
  await body?.dump();
  return statusCode === 204;
}

/** @throws what InfluxDB says against it */
async function query(port: number, q: string, { user, password }: Login): Promise<void> {
  const { body } = await request(`http://127.0.0.1:${port}/query`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    },
    body: new URLSearchParams({ q }).toString(),
  });
  const { error, results } = answer.parse(await body.json());
  const said = error ?? results.find((result) => result.error)?.error;
  if (said) throw new Error(`InfluxDB: ${said}`);
}

/** An identifier (InfluxDB 1.x documentation, "Influx Query Language specification"). */
const name = (value: string) => `"${value.replaceAll(/[\\"]/g, '\\$&')}"`;

/** A string, of the same. */
const text = (value: string) => `'${value.replaceAll(/[\\']/g, '\\$&')}'`;
