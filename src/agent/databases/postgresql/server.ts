import { Mutex } from 'async-mutex';
import pRetry from 'p-retry';
import type pg from 'pg';
import type { Binaries } from '../../../postgresql/binaries.js';
import { Cluster, type SessionOptions } from '../../../postgresql/cluster.js';
import { databasePorts, freePort, isFree } from '../../../shared/free-port.js';
import { giveWay } from '../../../shared/give-way.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import { until } from '../../../shared/until.js';
import type { Place } from '../product.js';
import { copiersOf, ensureLogin, isRefusedForGood, loadedAt } from './queries.js';
import { type DatabaseRecord, fenceOf, recordFile } from './record.js';
import {
  certificateFile,
  passwordFile,
  passwordLine,
  primaryCertificateFile,
  privateKeyFile,
  rulesOf,
  settingsOf,
} from './settings.js';

/** How a database that crashes is started and asked again for a change; times in milliseconds. */
export const comeback = {
  ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 500 },
  maxRetryTime: 60_000,
};

/** How long it is left alone when nobody copies it, in milliseconds: to look takes a session. */
const betweenLooks = 2_000;

/**
 * Whatever an app has set for its database, names mean what PostgreSQL itself calls so, and nothing that the
 * app made is called by mistake; literals end where they do by default; whoever logs in stays who that is, and is given the time that it takes.
 */
export const plainWords = [
  ...['search_path=pg_catalog,pg_temp', 'standard_conforming_strings=on', 'role=none'],
  ...['statement_timeout=0', 'lock_timeout=0'],
]
  .map((setting) => `-c ${setting}`)
  .join(' ');

/** What a database runs with on its host. */
export interface DatabaseHost extends Place {
  /** Of the database's major. @throws Refusal when the host has none any more */
  readonly binaries: () => Binaries;
  /** The binaries of every major of the host. */
  readonly majors: readonly Binaries[];
}

/** The cluster of a database, run and set up as its record says. */
export class Server {
  readonly folder: string;
  readonly cluster: Cluster;
  readonly host: DatabaseHost;
  readonly logger: Logger;
  readonly #writing = new Mutex();
  #record: DatabaseRecord;
  /** How fast it may be copied, as its configuration says; undefined while that is not known. */
  #copyRate: number | null | undefined;
  /** When it is looked next whether it is being copied. */
  #lookAgain = 0;

  constructor(folder: string, found: DatabaseRecord, host: DatabaseHost) {
    this.folder = folder;
    this.#record = found;
    this.cluster = new Cluster(folder, host.binaries);
    this.host = host;
    this.logger = host.logger.child({ database: found.id });
  }

  get record(): DatabaseRecord {
    return this.#record;
  }

  /** Remembers what is meant, before it is done. */
  async write(changes: Partial<DatabaseRecord>): Promise<void> {
    await this.#writing.runExclusive(async () => {
      const next = { ...this.#record, ...changes };
      await writeJsonFile(recordFile(this.folder), next);
      this.#record = next;
    });
  }

  /** Starts it when it should run and does not. A follower's copy must be whole. */
  async run(): Promise<void> {
    const { role } = this.#record;
    if (role === 'empty' || fenceOf(this.#record) === 'down') return;
    if (await this.cluster.identity()) return;
    if (role === 'primary' && !(await this.cluster.exists())) await this.cluster.initialise();
    if (role === 'follower') {
      // One that its primary does not let in may never accept connections.
      await this.#prepareStart();
      await this.cluster.launch(this.#options());
      return;
    }
    await this.start();
    if (fenceOf(this.#record) === 'none') {
      await this.query((client) => ensureLogin(client, this.#record.login));
    }
  }

  async start(signal?: AbortSignal): Promise<void> {
    await this.#prepareStart();
    await this.cluster.start(this.#options(), signal);
  }

  /** Writes the configuration, for the next start. */
  async configure(): Promise<void> {
    await this.#writeFiles();
    await this.cluster.configure(this.#options());
  }

  /** Has what runs go by the record as it is now; returns when every new session does. */
  async reconfigure(): Promise<void> {
    await this.configure();
    if (!(await this.cluster.identity())) return;
    const before = await this.query(loadedAt);
    await this.cluster.reload();
    await until(async () => (await this.query(loadedAt)) !== before, {
      timeout: 10_000,
      every: 5,
      what: 'the configuration to be read',
    });
  }

  /** Has those who copy it, if there are any, give way to all others of the host, and tells them how fast they may by now. */
  async restrainCopies(): Promise<void> {
    const { role, grants } = this.#record;
    if (role !== 'primary' || grants.length === 0 || fenceOf(this.#record) !== 'none') return;
    if (performance.now() < this.#lookAgain) return;
    const names = grants.map(({ name }) => name);
    const copiers = await this.query((client) => copiersOf(client, names));
    this.#lookAgain = copiers.length > 0 ? 0 : performance.now() + betweenLooks;
    // Who sends rows holds locks that others wait for.
    await Promise.all(copiers.map(({ pid, sendsFiles }) => sendsFiles && giveWay(pid)));
    if (copiers.length === 0 || this.#copyRate === (this.host.copyRate?.() ?? null)) return;
    await this.configure();
    await this.cluster.reload();
  }

  /** Has something done by a database that may crash meanwhile: it is started and asked again. */
  async insist(use: (client: pg.Client) => Promise<unknown>, signal?: AbortSignal): Promise<void> {
    const attempt = async () => {
      await this.run();
      await this.query(use, { signal });
    };
    await pRetry(attempt, {
      ...comeback,
      shouldRetry: ({ error }) => fenceOf(this.#record) !== 'down' && !isRefusedForGood(error),
      ...(signal && { signal }),
    });
  }

  /** Lends a superuser's session. */
  query<T>(use: (client: pg.Client) => Promise<T>, how: SessionOptions = {}): Promise<T> {
    return this.cluster.session(this.#record.port, use, { settings: plainWords, ...how });
  }

  async #prepareStart(): Promise<void> {
    if (!(await this.cluster.identity())) {
      await this.cluster.killAll();
      // While it did not run, somebody else may have taken its port.
      if (!(await isFree(this.#record.port))) {
        await this.write({ port: await freePort(databasePorts) });
      }
    }
    await this.#writeFiles();
  }

  #options() {
    const { address } = this.host;
    const copyRate = this.host.copyRate?.() ?? null;
    this.#copyRate = copyRate;
    return {
      port: this.#record.port,
      settings: settingsOf(this.#record, { address, copyRate }),
      rules: rulesOf(this.#record),
    };
  }

  async #writeFiles(): Promise<void> {
    const { certificate, privateKey, following } = this.#record;
    await this.cluster.writeFile(certificateFile, certificate);
    await this.cluster.writeFile(privateKeyFile, privateKey);
    if (following) {
      await this.cluster.writeFile(primaryCertificateFile, following.endpoint.certificate);
      await this.cluster.writeFile(passwordFile, passwordLine(following.endpoint));
    }
  }
}
