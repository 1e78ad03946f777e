import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import pRetry, { AbortError } from 'p-retry';
import pg from 'pg';
import { databaseAccount } from '../../../postgresql/account.js';
import { type CopyProgress, copyCluster } from '../../../postgresql/base-backup.js';
import type { Binaries } from '../../../postgresql/binaries.js';
import { Cluster } from '../../../postgresql/cluster.js';
import { readControlFile } from '../../../postgresql/control-file.js';
import { formatLsn, parseLsn } from '../../../postgresql/lsn.js';
import type { Following, Inspection } from '../../../region/model.js';
import { messageOf, Refusal } from '../../../shared/errors.js';
import { newSecret } from '../../../shared/ids.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import { until } from '../../../shared/until.js';
import type { Database } from '../product.js';
import { inspectCluster } from './inspect.js';
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

/** Who may log in. */
type Admitted = 'all' | 'followers';

/** A copy under way. */
interface Copying {
  readonly cancel: AbortController;
  readonly ended: Promise<void>;
  progress: CopyProgress;
}

/** One PostgreSQL cluster for one app: a primary, or a physical follower of another. */
export class PostgresqlDatabase implements Database {
  readonly #folder: string;
  readonly #cluster: Cluster;
  readonly #logger: Logger;
  #record: DatabaseRecord;
  #copying: Copying | null = null;
  /** Why the last copy was given up. */
  #failure: string | null = null;

  constructor(folder: string, found: DatabaseRecord, binaries: Binaries, logger: Logger) {
    this.#folder = folder;
    this.#record = found;
    this.#cluster = new Cluster(folder, binaries);
    this.#logger = logger.child({ database: found.id });
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
    const { removing, role, fenced, following } = this.#record;
    if (removing) return this.remove();
    if (fenced || role === 'empty') return;
    if (following && !following.copied) {
      this.#copyInBackground(following.endpoint);
      return;
    }
    if (await this.#cluster.identity()) return;
    if (role === 'primary' && !(await this.#cluster.exists())) await this.#cluster.initialise();
    await this.#start();
    if (role === 'primary') await this.#ensureLogin();
  }

  async rest(): Promise<void> {
    await this.leave();
    await this.#cluster.stop();
  }

  async leave(): Promise<void> {
    await this.#giveUpCopying();
  }

  async remove(): Promise<void> {
    await this.#write({ removing: true });
    await this.#giveUpCopying();
    await this.#cluster.stop('immediate');
    await rm(this.#cluster.data, { recursive: true, force: true });
    await rm(this.#folder, { recursive: true, force: true });
  }

  async inspect(): Promise<Inspection> {
    const { role, fenced, major } = this.#record;
    const found =
      role === 'empty' || fenced
        ? { version: major, size: 0, obstacles: [], remarks: [] }
        : await this.#query((client) => inspectCluster(client), this.#record.login.database);
    return { product: 'postgresql', role, fenced, ...found };
  }

  async grantFollow(follower: string): Promise<Endpoint> {
    const { grants, port, certificate, login, major } = this.#record;
    const known = grants.find((grant) => grant.follower === follower);
    const grant = known ?? {
      follower,
      name: `godwit_follow_${follower.replaceAll('-', '').slice(0, 12)}`,
      password: newSecret(),
    };
    if (!known) await this.#write({ grants: [...grants, grant] });
    await this.#query(async (client) => {
      const role = client.escapeIdentifier(grant.name);
      const password = client.escapeLiteral(grant.password);
      const { rowCount } = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [
        grant.name,
      ]);
      const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
      await client.query(`${verb} ROLE ${role} LOGIN REPLICATION PASSWORD ${password}`);
      await client.query(
        `SELECT pg_create_physical_replication_slot($1, true)
          WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`,
        [grant.name],
      );
    });
    await this.#configure();
    await this.#cluster.reload();
    return {
      major,
      host: '127.0.0.1',
      port,
      user: grant.name,
      password: grant.password,
      slot: grant.name,
      certificate,
      login,
    };
  }

  async revokeFollow(follower: string): Promise<void> {
    const grant = this.#record.grants.find((one) => one.follower === follower);
    if (!grant) return;
    if (this.#record.role === 'primary' && !this.#record.fenced) {
      await this.#query((client) => dropGrant(client, grant.name));
    }
    await this.#write({ grants: this.#record.grants.filter((one) => one !== grant) });
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
    if (same && (following.copied || this.#copying)) return;
    await this.#giveUpCopying();
    await this.#write({
      role: 'follower',
      login: endpoint.login,
      following: { endpoint, copied: false },
    });
    this.#failure = null;
    this.#copyInBackground(endpoint);
  }

  async following(): Promise<Following> {
    const { following } = this.#record;
    const none = { copied: 0, total: 0, lag: null, reason: null };
    if (!following) return { ...none, stage: 'idle' };
    const seen = this.#copying?.progress ?? none;
    if (this.#failure) return { ...none, ...seen, stage: 'failed', reason: this.#failure };
    if (!following.copied) return { ...none, ...seen, stage: 'copying' };
    const { lag, size } = await this.#lag().catch((error) => {
      if (isStarting(error)) return { lag: null, size: seen.copied };
      throw error;
    });
    const stage = lag !== null && lag < keepsUp ? 'streaming' : 'catching-up';
    return { stage, lag, copied: size, total: size, reason: null };
  }

  async flush(): Promise<void> {
    await this.#query((client) => client.query('CHECKPOINT'));
  }

  async position(): Promise<string> {
    const { rows } = await this.#query((client) =>
      client.query<{ lsn: string }>(
        `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                ELSE pg_current_wal_flush_lsn() END AS lsn`,
      ),
    );
    return rows[0]?.lsn ?? '0/0';
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

  async fence(): Promise<string> {
    const { role, fenced } = this.#record;
    if (role !== 'primary')
      throw Refusal.conflict('role', `A database that is ${role} has nothing to fence.`);
    if (!fenced) await this.#write({ fenced: true });
    await this.#cluster.stop();
    if (!(await readControlFile(this.#cluster.data)).shutDown) await this.#endCleanly();
    // The last record is the shutdown checkpoint, and begins here: whoever is past its first
    // byte has replayed it.
    const { checkpoint } = await readControlFile(this.#cluster.data);
    return formatLsn(checkpoint + 1n);
  }

  async unfence(): Promise<void> {
    if (this.#record.role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${this.#record.role} cannot be unfenced.`);
    }
    await this.#write({ fenced: false });
    await this.tend();
  }

  async promote(): Promise<void> {
    if (this.#record.role === 'primary') return;
    if (!this.#record.following?.copied) {
      throw Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
    }
    await this.#query(async (client) => {
      const { rows } = await client.query<{ follows: boolean }>(
        'SELECT pg_is_in_recovery() AS follows',
      );
      if (rows[0]?.follows) await client.query('SELECT pg_promote(true, 60)');
    });
    await until(() => this.#query(isPrimary), {
      timeout: 60_000,
      every: 10,
      what: 'the promotion',
    });
    await this.#write({ role: 'primary', following: null });
    await this.#configure();
    await this.#cluster.reload();
    await this.#dropForeignGrants();
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
    await this.#giveUpCopying();
    await this.#write({ role: 'empty', following: null, fenced: false, grants: [] });
    await this.#cluster.stop('immediate');
    await rm(this.#cluster.data, { recursive: true, force: true });
  }

  /** Copies, again and again if need be, and then follows. */
  #copyInBackground(endpoint: Endpoint): void {
    if (this.#copying || this.#failure) return;
    const cancel = new AbortController();
    const copying: Copying = {
      cancel,
      progress: { copied: 0, total: 0 },
      ended: pRetry(() => this.#copy(endpoint, copying), {
        retries: 10,
        minTimeout: 200,
        maxTimeout: 5_000,
        signal: cancel.signal,
      }).then(
        () => {
          this.#copying = null;
        },
        (error) => {
          if (!cancel.signal.aborted) {
            this.#failure = messageOf(error);
            this.#logger.error({ err: error }, 'copying failed');
          }
          this.#copying = null;
        },
      ),
    };
    this.#copying = copying;
  }

  async #copy(endpoint: Endpoint, copying: Copying): Promise<void> {
    await this.#cluster.stop('immediate');
    await rm(this.#cluster.data, { recursive: true, force: true });
    await this.#cluster.makeDataFolder();
    const { signal } = copying.cancel;
    await copyCluster(
      endpoint,
      this.#cluster.data,
      databaseAccount(),
      (progress) => {
        copying.progress = progress;
      },
      signal,
    ).catch((error) => {
      throw isRefusedForGood(error) ? new AbortError(messageOf(error)) : error;
    });
    await promisify(execFile)('sync', ['-f', this.#cluster.data]);
    signal.throwIfAborted();
    await this.#cluster.writeFile('standby.signal', '');
    await this.#write({ following: { endpoint, copied: true } });
    await this.#start();
  }

  async #giveUpCopying(): Promise<void> {
    const copying = this.#copying;
    copying?.cancel.abort(new Error('The copy was given up.'));
    await copying?.ended;
    this.#failure = null;
  }

  async #lag(): Promise<{ lag: number | null; size: number }> {
    const { rows } = await this.#query((client) =>
      client.query<{ lag: string | null; size: string }>(
        `SELECT (SELECT sum(pg_database_size(oid)) FROM pg_database) AS size,
                (SELECT greatest(0, pg_wal_lsn_diff(latest_end_lsn, pg_last_wal_replay_lsn()))
                   FROM pg_stat_wal_receiver WHERE status = 'streaming') AS lag`,
      ),
    );
    const row = rows[0];
    return { lag: row?.lag == null ? null : Number(row.lag), size: Number(row?.size ?? 0) };
  }

  async #ensureLogin(): Promise<void> {
    const { login } = this.#record;
    await this.#query(async (client) => {
      const user = client.escapeIdentifier(login.user);
      const database = client.escapeIdentifier(login.database);
      const has = async (sql: string, name: string) =>
        (await client.query(sql, [name])).rowCount !== 0;
      if (!(await has('SELECT FROM pg_roles WHERE rolname = $1', login.user))) {
        await client.query(
          `CREATE ROLE ${user} LOGIN PASSWORD ${client.escapeLiteral(login.password)}`,
        );
      }
      if (!(await has('SELECT FROM pg_database WHERE datname = $1', login.database))) {
        await client.query(`CREATE DATABASE ${database} OWNER ${user}`);
      }
    });
  }

  /** A promoted follower has the roles that its former primary made for its followers. */
  async #dropForeignGrants(): Promise<void> {
    const own = this.#record.grants.map(({ name }) => name);
    await this.#query(async (client) => {
      const { rows } = await client.query<{ rolname: string }>(
        `SELECT rolname FROM pg_roles WHERE rolname LIKE 'godwit\\_follow\\_%' AND rolname <> ALL ($1)`,
        [own],
      );
      for (const { rolname } of rows) await dropGrant(client, rolname);
    });
  }

  /**
   * Gives a crashed primary a clean end to its history: recovery, with only followers let in, and
   * a shutdown once they are back, since that is what sends them the end of it.
   */
  async #endCleanly(): Promise<void> {
    await this.#start('followers');
    const followers = this.#record.grants.map(({ name }) => name);
    await until(
      () =>
        this.#query(async (client) => {
          const { rowCount } = await client.query(
            `SELECT FROM pg_stat_replication WHERE state = 'streaming' AND usename = ANY ($1)`,
            [followers],
          );
          return rowCount === followers.length;
        }),
      { timeout: 5_000, what: 'the followers' },
    ).catch((error) => this.#logger.warn({ err: error }, 'fencing without a follower'));
    await this.#cluster.stop();
  }

  async #start(admitted: Admitted = 'all'): Promise<void> {
    await this.#writeCertificates();
    await this.#cluster.start(this.#options(admitted));
  }

  async #configure(): Promise<void> {
    await this.#writeCertificates();
    await this.#cluster.configure(this.#options());
  }

  #options(admitted: Admitted = 'all') {
    return {
      port: this.#record.port,
      settings: settingsOf(this.#record),
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

  #query<T>(use: (client: pg.Client) => Promise<T>, database?: string): Promise<T> {
    return this.#cluster.asSuperuser(this.#record.port, use, database);
  }

  async #write(changes: Partial<DatabaseRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    await writeJsonFile(recordFile(this.#folder), next);
    this.#record = next;
  }
}

/** How far a follower is; 0 before it has replayed anything. */
async function replayPosition(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query<{ lsn: string | null }>(
    'SELECT pg_last_wal_replay_lsn() AS lsn',
  );
  return parseLsn(rows[0]?.lsn ?? '0/0');
}

async function isPrimary(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ follows: boolean }>(
    'SELECT pg_is_in_recovery() AS follows',
  );
  return rows[0]?.follows === false;
}

/** Ends the follower's session, and takes away its slot and role. */
async function dropGrant(client: pg.Client, name: string): Promise<void> {
  await until(
    async () => {
      await client.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1',
        [name],
      );
      const { rows } = await client.query<{ active: boolean }>(
        'SELECT active FROM pg_replication_slots WHERE slot_name = $1',
        [name],
      );
      if (rows[0]?.active) return false;
      if (rows[0]) await client.query('SELECT pg_drop_replication_slot($1)', [name]);
      await client.query(`DROP ROLE IF EXISTS ${client.escapeIdentifier(name)}`);
      return true;
    },
    { timeout: 30_000, what: `the sessions of ${name} to end` },
  );
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port && a.slot === b.slot && a.password === b.password;
}

/** Whether a session was refused since the server is not there yet, or not ready (`cannot_connect_now`). */
function isStarting(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return code === 'ENOENT' || code === 'ECONNREFUSED' || code === '57P03';
}

/** The classes of SQLSTATE that trying again does not change: wrong credentials, features, syntax. */
function isRefusedForGood(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^(28|0A|42)/.test(error.code ?? '');
}
