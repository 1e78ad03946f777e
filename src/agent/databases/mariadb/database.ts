import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import pRetry from 'p-retry';
import type { Following, Inspection } from '../../../region/model.js';
import { noteThen, unlessDiskFull } from '../../../shared/disk.js';
import { messageOf, Refusal } from '../../../shared/errors.js';
import { exists } from '../../../shared/exists.js';
import { databasePorts, freePort, isFree } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import type { ProcessIdentity } from '../../../shared/processes.js';
import { until } from '../../../shared/until.js';
import { comeTo } from '../come-to.js';
import { Copying } from '../copying.js';
import type { Database, Peer, Place } from '../product.js';
import { ComparableServer } from './comparable.js';
import { copyServer, NotAdmitted } from './copy.js';
import { CopyDoor } from './copy-door.js';
import { createGrant, ensureLogin } from './grants.js';
import { inspectServer } from './inspect.js';
import { followerName } from './names.js';
import type { Programs } from './programs.js';
import {
  type DatabaseRecord,
  type Endpoint,
  endpoint as endpointSchema,
  recordFile,
} from './record.js';
import {
  beginHistory,
  boundHistory,
  historyEnd,
  primaryEnd,
  replays,
  replication,
} from './replication.js';
import { takeRole } from './role.js';
import { MariadbServer } from './server.js';
import { errorNumber, type Session } from './session.js';
import { sizeOf } from './size.js';

/** A follower that has replayed within this time what its primary has now keeps up. In milliseconds. */
const keepsUp = 200;

/** How long a server that crashes is started and asked again for a change, in milliseconds. */
const comebackPatience = 60_000;

/** How long a server that runs may take for what takes a moment, in milliseconds. */
const momentPatience = 2_000;

/** A follower that stays away for long is copied anew rather than that the disk fills up. In bytes. */
const mostHistory = 16 * 1024 ** 3;
/** How often that is seen to, in milliseconds. */
const historyRounds = 60_000;

/** What a database runs with on its host. */
export interface DatabaseHost extends Place {
  /** Of the database's series. @throws Refusal when the host has none any more */
  readonly programs: () => Programs;
}

/** One MariaDB server for one app: a primary, or a follower that replays the history of another. */
export class MariadbDatabase implements Database {
  readonly comparable: ComparableServer;
  readonly #folder: string;
  readonly #server: MariadbServer;
  readonly #door: CopyDoor;
  readonly #address: string;
  readonly #logger: Logger;
  #record: DatabaseRecord;
  /** The copy under way, or the last one. */
  #copying: Copying | null = null;
  /** The process that is what the record says; null when that has to be seen to. */
  #settled: ProcessIdentity | null = null;
  #historyBoundAt = 0;

  constructor(folder: string, found: DatabaseRecord, host: DatabaseHost) {
    this.#folder = folder;
    this.#record = found;
    this.#address = host.address;
    this.#logger = host.logger.child({ database: found.id });
    this.#server = new MariadbServer(folder, host.programs, host.address);
    this.comparable = new ComparableServer(this.#server, () => this.#record.password);
    this.#door = new CopyDoor(this.#server, { ...host, logger: this.#logger });
  }

  get id(): string {
    return this.#record.id;
  }

  variables(): Record<string, string> {
    const { role, port, login } = this.#record;
    if (role === 'empty') return {};
    const url = `mysql://${login.user}:${login.password}@127.0.0.1:${port}/${login.database}`;
    return { SCALINGO_MYSQL_URL: url, DATABASE_URL: url };
  }

  async tend(): Promise<void> {
    const { role, following } = this.#record;
    if (role === 'empty') return;
    if (following && !following.copied) {
      this.#copyInBackground(following.endpoint);
      return;
    }
    if (this.#copying?.isUnderWay) return; // whole by now, and started by who copied
    await this.#settle();
    if (Date.now() - this.#historyBoundAt < historyRounds) return;
    const soon = AbortSignal.timeout(momentPatience); // others wait for this
    await this.#ask((session) => boundHistory(session, mostHistory), soon);
    this.#historyBoundAt = Date.now();
  }

  get isBeingRemoved(): boolean {
    return this.#record.removing;
  }

  async rest(): Promise<void> {
    await this.leave();
    await this.#server.stop();
  }

  async leave(): Promise<void> {
    await this.#door.close();
    await this.#giveUpCopying();
  }

  async remove(): Promise<void> {
    if (!(await exists(this.#folder))) return;
    await this.#write({ removing: true }).catch(unlessDiskFull);
    await this.#empty();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async inspect(): Promise<Inspection> {
    const { role, fenced, series } = this.#record;
    const common = { ...{ product: 'mariadb', role, fenced }, move: { kind: 'live' } } as const;
    if (role === 'empty') {
      const nothing = { version: series, size: 0, obstacles: [], unsuitable: [], remarks: [] };
      return { ...common, ...nothing };
    }
    const found = await this.#ask((session) => inspectServer(session, this.#server.data));
    return { ...common, size: await sizeOf(this.#server.data), ...found };
  }

  async grantFollow(follower: string, { from }: Peer): Promise<Endpoint> {
    const { grants } = this.#record;
    const known = grants.find((grant) => grant.follower === follower);
    const { name, password } = known ?? {
      name: followerName(follower),
      password: newSecret(),
    };
    const grant = { follower, name, password, from };
    if (!isDeepStrictEqual(known, grant)) {
      await this.#write({ grants: [...grants.filter((one) => one !== known), grant] });
    }
    await this.#insist((session) => createGrant(session, grant));
    const { series, port, copyPort, certificate, login } = this.#record;
    return {
      ...{ series, host: this.#address, port, copyPort },
      user: grant.name,
      password: grant.password,
      certificate,
      login,
    };
  }

  async revokeFollow(follower: string): Promise<void> {
    const grants = this.#record.grants.filter((one) => one.follower !== follower);
    await this.#write({ grants });
    // Also takes away users that came along from a former primary.
    if (this.#record.role === 'primary') await this.#insist(async () => undefined);
  }

  async follow(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, following } = this.#record;
    if (role === 'primary') {
      throw Refusal.conflict('primary', 'A primary does not follow; have it stand down first.');
    }
    this.#checkSeries(endpoint);
    const known = following && sameGrant(following.endpoint, endpoint) ? following : null;
    if (known && this.#copying?.isUnderWay && samePlace(known.endpoint, endpoint)) return;
    if (known?.copied && !(await this.#isBroken())) return this.#followAt(endpoint);
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
    const size = await sizeOf(this.#server.data);
    const whole = { ...none, copied: size, total: size };
    const state = await this.#ask(replication).catch(whileAway);
    if (state?.error) {
      const table = state.table === null ? '' : ` at table ${state.table}`;
      const reason = `Following ended${table} with error ${state.error} of MariaDB, which the log of the database tells more of. Run the phase again: the database is then copied anew.`;
      return { ...whole, stage: 'failed', reason };
    }
    if (!state?.isConnected) return { ...whole, stage: 'catching-up' };
    const isUpToDate = await this.#keepsUp(following.endpoint);
    return { ...whole, stage: isUpToDate ? 'streaming' : 'catching-up', lag: state.received };
  }

  /** Makes sure that it answers. A fence does not wait for pages to be written, so nothing is to be done ahead. */
  async flush(signal?: AbortSignal): Promise<void> {
    await this.#insist(historyEnd, signal);
  }

  async position(): Promise<string> {
    return this.#ask(historyEnd);
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    const what = `the follower to replay ${position}`;
    await comeTo(position, timeout, (left) =>
      this.#ask((session) =>
        until(() => replays(session, position, left), { timeout: left, every: 1, what }),
      ),
    );
  }

  async fence(signal?: AbortSignal): Promise<string> {
    const { role, fenced } = this.#record;
    if (role !== 'primary')
      throw Refusal.conflict('role', `A database that is ${role} has nothing to fence.`);
    if (!fenced) await this.#write({ fenced: true });
    return this.#insist(historyEnd, signal);
  }

  async unfence(): Promise<void> {
    if (this.#record.role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${this.#record.role} cannot be unfenced.`);
    }
    await this.#write({ fenced: false });
    await this.#settle(AbortSignal.timeout(momentPatience)).catch(async (error) => {
      this.#logger.warn({ err: error }, 'a fenced database hangs, and is ended by a crash');
      await this.#server.crash();
      await this.#settle();
    });
  }

  async promote(signal?: AbortSignal): Promise<void> {
    const { role, following } = this.#record;
    if (role !== 'primary' && !following?.copied) {
      throw Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
    }
    if (role !== 'primary') await this.#write({ role: 'primary', following: null });
    await this.#insist(async () => undefined, signal);
  }

  async followBack(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, fenced } = this.#record;
    if (role === 'empty' || (role === 'primary' && !fenced)) {
      throw Refusal.conflict('fence', 'Only a fenced primary can follow back.');
    }
    this.#checkSeries(endpoint);
    await this.#write({
      role: 'follower',
      fenced: false,
      grants: [],
      following: { endpoint, copied: true },
    });
    await this.#settle();
  }

  async standDown(): Promise<void> {
    const meant = () => this.#write({ role: 'empty', following: null, fenced: false, grants: [] });
    await noteThen(meant, () => this.#empty());
  }

  /** Copies, unless that goes on or has failed, and then follows. */
  #copyInBackground(endpoint: Endpoint): void {
    this.#copying ??= new Copying(
      async (signal, onProgress) => {
        this.#settled = null;
        const position = await copyServer(endpoint, this.#server, onProgress, signal);
        await this.#start(signal);
        await this.#ask((session) => beginHistory(session, position), signal);
        await this.#write({ following: { endpoint, copied: true } });
        await this.#settle(signal);
      },
      {
        folder: this.#folder,
        isRefusedForGood: (error) => error instanceof NotAdmitted,
        discard: () => this.#server.wipe(),
      },
    );
  }

  async #empty(): Promise<void> {
    await this.#door.close();
    await this.#giveUpCopying();
    await this.#server.wipe();
  }

  async #giveUpCopying(): Promise<void> {
    await this.#copying?.giveUp();
    this.#copying = null;
  }

  /** Has the server run, and be what the record says. */
  async #settle(signal?: AbortSignal): Promise<void> {
    await this.#keepDoor();
    const running = await this.#server.identity();
    if (running && running.startTime === this.#settled?.startTime) return;
    const { role, fenced, login } = this.#record;
    if (role === 'primary') await this.#server.initialise();
    const started = await this.#start(signal);
    await this.#ask(async (session) => {
      await takeRole(session, this.#record, signal);
      if (role === 'primary' && !fenced) await ensureLogin(session, login);
    }, signal);
    this.#settled = started;
  }

  async #start(signal?: AbortSignal): Promise<ProcessIdentity> {
    if (!(await this.#server.identity())) {
      await this.#server.killAll();
      const port = await keptOrNew(this.#record.port, signal);
      if (port !== this.#record.port) await this.#write({ port });
    }
    return this.#server.start(this.#record, signal);
  }

  /** Copies can be fetched from a primary as long as somebody may follow it. */
  async #keepDoor(): Promise<void> {
    const { role, grants, copyPort } = this.#record;
    if (role !== 'primary' || grants.length === 0) return this.#door.close();
    if (this.#door.isOpen) return;
    const port = await keptOrNew(copyPort);
    if (port !== copyPort) await this.#write({ copyPort: port });
    await this.#door.open(() => this.#record);
  }

  /** Whether it has within a moment replayed what its primary has now. */
  async #keepsUp(endpoint: Endpoint): Promise<boolean> {
    const wanted = await primaryEnd(endpoint).catch((error) => {
      this.#logger.debug({ err: error }, 'a primary does not tell where it is');
      return null;
    });
    if (wanted === null) return false;
    const isThere = this.#ask((session) => replays(session, wanted, keepsUp));
    return (await isThere.catch(whileAway)) ?? false;
  }

  /** Whether it can only be copied anew: it failed to replay something, or its primary has forgotten what it lacks. */
  async #isBroken(): Promise<boolean> {
    const state = await this.#ask(replication).catch(whileAway);
    return state !== null && state.error !== null;
  }

  /** Its primary may be reached elsewhere by now; that takes no new copy. */
  async #followAt(endpoint: Endpoint): Promise<void> {
    const { following } = this.#record;
    if (following && samePlace(following.endpoint, endpoint)) return;
    await this.#giveUpCopying();
    await this.#write({ following: { endpoint, copied: true } });
    await this.#settle();
  }

  #checkSeries({ series }: Endpoint): void {
    if (series === this.#record.series) return;
    throw Refusal.conflict(
      'version',
      `A MariaDB ${this.#record.series} cannot follow a MariaDB ${series}.`,
    );
  }

  /** Has something done by a server that may crash meanwhile: it is started and asked again. */
  #insist<T>(use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const attempt = async () => {
      await this.#settle(signal);
      return this.#ask(use, signal);
    };
    return pRetry(attempt, {
      ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 500 },
      maxRetryTime: comebackPatience,
      shouldRetry: ({ error }) => !isRefusedForGood(error),
      ...(signal && { signal }),
    });
  }

  #ask<T>(use: (session: Session) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#server.asSuperuser(this.#record.password, use, signal);
  }

  async #write(changes: Partial<DatabaseRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    await writeJsonFile(recordFile(this.#folder), next);
    this.#record = next;
    this.#settled = null;
  }
}

/** Whether two endpoints are of the same grant of the same database, wherever that is reached. */
function sameGrant(a: Endpoint, b: Endpoint): boolean {
  return a.certificate === b.certificate && a.user === b.user && a.password === b.password;
}

function samePlace(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port && a.copyPort === b.copyPort;
}

/** How long the processes of a server that was killed may go on holding its port, in milliseconds. */
const portPatience = 5_000;

/** A port that followers know is given up only when somebody else has taken it meanwhile. */
async function keptOrNew(port: number, signal?: AbortSignal): Promise<number> {
  const kept = until(() => isFree(port), {
    timeout: portPatience,
    every: 20,
    signal,
    what: `port ${port}`,
  });
  return kept.then(
    () => port,
    () => freePort(databasePorts),
  );
}

/** Nobody listens, or the session ended with the server. */
const away = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'PROTOCOL_CONNECTION_LOST'];

/** The server is not there, and will be again: nothing can be said of it now. */
function whileAway(error: unknown): null {
  if (error instanceof Error && 'code' in error && away.includes(String(error.code))) return null;
  throw error;
}

/** What a server says that is busy, or about to end: `ER_CON_COUNT_ERROR`, `ER_SERVER_SHUTDOWN`, `ER_LOCK_WAIT_TIMEOUT`, `ER_LOCK_DEADLOCK`, `ER_QUERY_INTERRUPTED`, `ER_CONNECTION_KILLED`. */
const passing = [1040, 1053, 1205, 1213, 1317, 1927];

/** Whether the server understood, and will say the same again. */
function isRefusedForGood(error: unknown): boolean {
  const number = errorNumber(error);
  return number !== null && !passing.includes(number);
}
