import { rm } from 'node:fs/promises';
import pRetry from 'p-retry';
import type pg from 'pg';
import { copyCluster } from '../../../postgresql/base-backup.js';
import type { Binaries } from '../../../postgresql/binaries.js';
import { Cluster, type SessionOptions } from '../../../postgresql/cluster.js';
import { readControlFile } from '../../../postgresql/control-file.js';
import { formatLsn, parseLsn } from '../../../postgresql/lsn.js';
import type { Following, Inspection } from '../../../region/model.js';
import { messageOf, Refusal } from '../../../shared/errors.js';
import { exists } from '../../../shared/exists.js';
import { databasePorts, freePort, isFree } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import { until } from '../../../shared/until.js';
import { Copying } from '../copying.js';
import type { Database } from '../product.js';
import { ComparableCluster } from './comparable.js';
import { inspectCluster } from './inspect.js';
import {
  allStream,
  createGrant,
  currentPosition,
  dropForeignGrants,
  ensureLogin,
  followerName,
  isRefusedForGood,
  lagAndSize,
  promoteFollower,
  replayPosition,
} from './queries.js';
import {
  type DatabaseRecord,
  type Endpoint,
  endpoint as endpointSchema,
  recordFile,
} from './record.js';
import {
  certificateFile,
  followerRules,
  primaryCertificateFile,
  privateKeyFile,
  rulesOf,
  settingsOf,
} from './settings.js';

/** A follower that is this far behind, in bytes, is still catching up. */
const keepsUp = 16 * 1024 * 1024;

/** How long a database that crashes is started and asked again for a change, in milliseconds. */
const comebackPatience = 60_000;

/** How long a primary that is to end waits for its followers, in milliseconds. */
const followersPatience = 5_000;

/** Who may log in. */
type Admitted = 'all' | 'followers';

/** What a database runs with on its host. */
export interface DatabaseHost {
  readonly binaries: Binaries;
  /** Address of the host, for followers in other regions. */
  readonly address: string;
  readonly logger: Logger;
}

/** One PostgreSQL cluster for one app: a primary, or a physical follower of another. */
export class PostgresqlDatabase implements Database {
  readonly comparable: ComparableCluster;
  readonly #folder: string;
  readonly #cluster: Cluster;
  readonly #address: string;
  readonly #logger: Logger;
  #record: DatabaseRecord;
  /** The copy under way, or the last one. */
  #copying: Copying | null = null;

  constructor(folder: string, found: DatabaseRecord, host: DatabaseHost) {
    this.#folder = folder;
    this.#record = found;
    this.#cluster = new Cluster(folder, host.binaries);
    this.comparable = new ComparableCluster(this.#cluster, () => this.#record.port);
    this.#address = host.address;
    this.#logger = host.logger.child({ database: found.id });
  }

  get id(): string {
    return this.#record.id;
  }

  variables(): Record<string, string> {
    const { role, port, login } = this.#record;
    if (role === 'empty') return {};
    const url = `postgres://${login.user}:${login.password}@127.0.0.1:${port}/${login.database}`;
    return { SCALINGO_POSTGRESQL_URL: url, DATABASE_URL: url };
  }

  async tend(): Promise<void> {
    const { role, fenced, following } = this.#record;
    if (fenced || role === 'empty') return;
    if (following && !following.copied) {
      this.#copyInBackground(following.endpoint);
      return;
    }
    if (this.#copying?.isUnderWay) return; // whole by now, and started by who copied
    if (await this.#cluster.identity()) return;
    if (role === 'primary' && !(await this.#cluster.exists())) await this.#cluster.initialise();
    if (role === 'follower') {
      // One that its primary does not let in may never accept connections.
      await this.#prepareStart();
      await this.#cluster.launch(this.#options());
      return;
    }
    await this.#start();
    await this.#query((client) => ensureLogin(client, this.#record.login));
  }

  get isBeingRemoved(): boolean {
    return this.#record.removing;
  }

  async rest(): Promise<void> {
    await this.leave();
    await this.#cluster.stop();
  }

  async leave(): Promise<void> {
    await this.#giveUpCopying();
  }

  async remove(): Promise<void> {
    if (!(await exists(this.#folder))) return;
    await this.#write({ removing: true });
    await this.#empty();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async inspect(): Promise<Inspection> {
    const { role, fenced, major } = this.#record;
    const found =
      role === 'empty' || fenced
        ? { version: major, size: 0, obstacles: [], unsuitable: [], remarks: [] }
        : await this.#query((client) => inspectCluster(client), {
            database: this.#record.login.database,
          });
    return { product: 'postgresql', role, fenced, move: { kind: 'live' }, ...found };
  }

  async grantFollow(follower: string): Promise<Endpoint> {
    const { grants, port, certificate, login, major } = this.#record;
    const known = grants.find((grant) => grant.follower === follower);
    const grant = known ?? {
      follower,
      name: followerName(follower),
      password: newSecret(),
    };
    if (!known) await this.#write({ grants: [...grants, grant] });
    const own = this.#record.grants.map(({ name }) => name);
    await this.#insist(async (client) => {
      await dropForeignGrants(client, own);
      await createGrant(client, grant);
    });
    await this.#configure();
    await this.#cluster.reload();
    return {
      major,
      host: this.#address,
      port,
      user: grant.name,
      password: grant.password,
      slot: grant.name,
      certificate,
      login,
    };
  }

  async revokeFollow(follower: string): Promise<void> {
    const grants = this.#record.grants.filter((one) => one.follower !== follower);
    if (this.#record.role === 'primary' && !this.#record.fenced) {
      // The follower's role and slot, and roles that came along from a former primary.
      const kept = grants.map(({ name }) => name);
      await this.#insist((client) => dropForeignGrants(client, kept));
    }
    await this.#write({ grants });
    if (await this.#cluster.exists()) await this.#configure();
    await this.#cluster.reload();
  }

  async follow(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, following, major } = this.#record;
    if (role === 'primary') {
      throw Refusal.conflict('primary', 'A primary does not follow; have it stand down first.');
    }
    if (endpoint.major !== major) {
      throw Refusal.conflict(
        'version',
        `A PostgreSQL ${major} cannot follow a PostgreSQL ${endpoint.major}.`,
      );
    }
    const same = following !== null && sameEndpoint(following.endpoint, endpoint);
    if (same && (following.copied || this.#copying?.isUnderWay)) return;
    await this.#giveUpCopying();
    await this.#write({
      role: 'follower',
      login: endpoint.login,
      following: { endpoint, copied: false },
    });
    this.#copyInBackground(endpoint);
  }

  async following(): Promise<Following> {
    const { following } = this.#record;
    const none = { copied: 0, total: 0, lag: null, reason: null };
    if (!following) return { ...none, stage: 'idle' };
    const seen = { ...none, ...this.#copying?.progress };
    if (this.#copying?.failure) {
      return { ...seen, stage: 'failed', reason: messageOf(this.#copying.failure) };
    }
    if (!following.copied) return { ...seen, stage: 'copying' };
    const { lag, size } = await this.#query(lagAndSize).catch((error) => {
      if (isStarting(error)) return { lag: null, size: seen.copied };
      throw error;
    });
    const stage = lag !== null && lag < keepsUp ? 'streaming' : 'catching-up';
    return { stage, lag, copied: size, total: size, reason: null };
  }

  async flush(signal?: AbortSignal): Promise<void> {
    await this.#insist((client) => client.query('CHECKPOINT'), signal);
  }

  async position(): Promise<string> {
    return this.#query(currentPosition);
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    const wanted = parseLsn(position);
    const deadline = Date.now() + timeout;
    let trouble = '';
    const replayed = (client: pg.Client) =>
      until(async () => (await replayPosition(client)) >= wanted, {
        timeout: deadline - Date.now(),
        every: 5,
        what: `the follower to replay ${position}`,
      });
    // A follower that crashes meanwhile comes back, and is asked again.
    const patiently = () =>
      this.#query(replayed).catch((error) => {
        trouble = messageOf(error);
        return false;
      });
    await until(patiently, { timeout, every: 50, what: 'the follower' }).catch(() => {
      throw new Refusal('unavailable', `The follower did not come to ${position}: ${trouble}.`);
    });
  }

  async fence(signal?: AbortSignal): Promise<string> {
    const { role, fenced } = this.#record;
    if (role !== 'primary')
      throw Refusal.conflict('role', `A database that is ${role} has nothing to fence.`);
    if (!fenced) await this.#write({ fenced: true });
    await this.#followersThere(signal);
    await this.#cluster.stop(signal);
    if (!(await readControlFile(this.#cluster.data)).shutDown) await this.#endCleanly(signal);
    // The last record is the shutdown checkpoint, and begins here: whoever is past its first
    // byte has replayed it.
    const { checkpoint } = await readControlFile(this.#cluster.data);
    return formatLsn(checkpoint + 1n);
  }

  async unfence(): Promise<void> {
    if (this.#record.role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${this.#record.role} cannot be unfenced.`);
    }
    // What was asked to end accepts nobody any more, and may never come to its end.
    if (this.#record.fenced) await this.#cluster.crash();
    await this.#write({ fenced: false });
    await this.tend();
    await this.#start(); // it may have been starting already; the app starts next
  }

  async promote(signal?: AbortSignal): Promise<void> {
    if (this.#record.role === 'primary') return;
    if (!this.#record.following?.copied) {
      throw Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
    }
    await this.#insist(promoteFollower, signal);
    await this.#write({ role: 'primary', following: null });
  }

  async followBack(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, fenced } = this.#record;
    if (role === 'primary' && !fenced) {
      throw Refusal.conflict('fence', 'Only a fenced primary can follow back.');
    }
    await this.#write({
      role: 'follower',
      fenced: false,
      grants: [],
      following: { endpoint, copied: true },
    });
    if (await this.#cluster.identity()) return;
    await this.#cluster.writeFile('standby.signal', '');
    await this.#start();
  }

  async standDown(): Promise<void> {
    await this.#write({ role: 'empty', following: null, fenced: false, grants: [] });
    await this.#empty();
  }

  /** Copies, unless that goes on or has failed, and then follows. */
  #copyInBackground(endpoint: Endpoint): void {
    this.#copying ??= new Copying(async (signal, onProgress) => {
      await this.#cluster.wipe();
      await this.#cluster.makeDataFolder();
      await copyCluster(endpoint, this.#cluster.data, this.#cluster.account, onProgress, signal);
      await this.#cluster.sync();
      signal.throwIfAborted();
      await this.#cluster.writeFile('standby.signal', '');
      await this.#write({ following: { endpoint, copied: true } });
      await this.#start('all', signal);
    }, isRefusedForGood);
  }

  async #empty(): Promise<void> {
    await this.#giveUpCopying();
    await this.#cluster.wipe();
  }

  async #giveUpCopying(): Promise<void> {
    await this.#copying?.giveUp();
    this.#copying = null;
  }

  /**
   * Gives a crashed primary a clean end to its history: recovery, with only followers let in, and
   * a shutdown once they are back, since that is what sends them the end of it.
   */
  async #endCleanly(signal?: AbortSignal): Promise<void> {
    await this.#start('followers', signal);
    await this.#followersThere(signal);
    await this.#cluster.stop(signal);
  }

  /** Waits a while for followers that lost sight of it: only those that are there hear of its end. */
  async #followersThere(signal?: AbortSignal): Promise<void> {
    const followers = this.#record.grants.map(({ name }) => name);
    await until(() => this.#query((client) => allStream(client, followers), { signal }), {
      timeout: followersPatience,
      signal,
      what: 'the followers',
    }).catch((error) => this.#logger.warn({ err: error }, 'fencing without a follower'));
  }

  async #start(admitted: Admitted = 'all', signal?: AbortSignal): Promise<void> {
    await this.#prepareStart();
    await this.#cluster.start(this.#options(admitted), signal);
  }

  async #prepareStart(): Promise<void> {
    if (!(await this.#cluster.identity())) {
      await this.#cluster.killAll();
      // While it did not run, somebody else may have taken its port.
      if (!(await isFree(this.#record.port))) {
        await this.#write({ port: await freePort(databasePorts) });
      }
    }
    await this.#writeCertificates();
  }

  async #configure(): Promise<void> {
    await this.#writeCertificates();
    await this.#cluster.configure(this.#options());
  }

  #options(admitted: Admitted = 'all') {
    return {
      port: this.#record.port,
      settings: settingsOf(this.#record, this.#address),
      rules: admitted === 'all' ? rulesOf(this.#record) : followerRules(this.#record),
    };
  }

  async #writeCertificates(): Promise<void> {
    const { certificate, privateKey, following } = this.#record;
    await this.#cluster.writeFile(certificateFile, certificate);
    await this.#cluster.writeFile(privateKeyFile, privateKey);
    if (following) {
      await this.#cluster.writeFile(primaryCertificateFile, following.endpoint.certificate);
    }
  }

  /** Has something done by a database that may crash meanwhile: it is started and asked again. */
  async #insist(use: (client: pg.Client) => Promise<unknown>, signal?: AbortSignal): Promise<void> {
    const attempt = async () => {
      await this.tend();
      await this.#query(use, { signal });
    };
    await pRetry(attempt, {
      ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 500 },
      maxRetryTime: comebackPatience,
      shouldRetry: ({ error }) => !this.#record.fenced && !isRefusedForGood(error),
      ...(signal && { signal }),
    });
  }

  #query<T>(use: (client: pg.Client) => Promise<T>, how: SessionOptions = {}): Promise<T> {
    return this.#cluster.asSuperuser(this.#record.port, use, how);
  }

  async #write(changes: Partial<DatabaseRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    await writeJsonFile(recordFile(this.#folder), next);
    this.#record = next;
  }
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port && a.slot === b.slot && a.password === b.password;
}

/** Whether a session was refused since the server is not there yet, or not ready (`cannot_connect_now`). */
function isStarting(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === '57P03';
}
