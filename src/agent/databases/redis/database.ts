import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import pRetry from 'p-retry';
import type { Following, Inspection } from '../../../region/model.js';
import { diskOf, isDiskFull, noteThen, unlessDiskFull } from '../../../shared/disk.js';
import { Refusal } from '../../../shared/errors.js';
import { exists } from '../../../shared/exists.js';
import { databasePorts, freePort, isFree } from '../../../shared/free-port.js';
import { newSecret } from '../../../shared/ids.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import { isAlive, type ProcessIdentity } from '../../../shared/processes.js';
import { createCertificate } from '../../../shared/self-signed.js';
import { until } from '../../../shared/until.js';
import { comeTo, watchForCutOff } from '../come-to.js';
import { noRoomFor } from '../copying.js';
import type { Database, Peer, Place } from '../product.js';
import { ComparableRedis } from './comparable.js';
import { conform } from './conform.js';
import { Door } from './door.js';
import { hasFailedToWrite, type Info, isDurable } from './info.js';
import { judge } from './inspect.js';
import { refusalOf } from './knock.js';
import { formatPosition, hasReached, parsePosition, positionOf } from './position.js';
import { isInSync, progressOf } from './progress.js';
import {
  type DatabaseRecord,
  type Endpoint,
  endpoint as endpointSchema,
  type Follower,
  type Grant,
  type Primary,
  recordFile,
} from './record.js';
import { RedisServer, type Session, type SessionOptions } from './server.js';
import { followerName } from './users.js';

/** How long a server may take to read its data. Times in milliseconds. */
const loadPatience = 300_000;

/** How long a server that crashes is started and asked again for a change. */
const comebackPatience = 60_000;

/** How long a server gets to take back a fence before it is killed for that. */
const unfencePatience = 2_000;

/** How long a primary that was started waits for its follower to come back. */
const followersPatience = 5_000;

/** How long a follower that is to be promoted may be writing its log anew. */
const logPatience = 60_000;

/** What a database runs with on its host. */
export interface DatabaseHost extends Place {
  /** The server of the database's version. @throws Refusal when the host has none */
  readonly program: () => string;
}

/** One Redis for one app: a primary, or a follower of another. */
export class RedisDatabase implements Database {
  readonly comparable: ComparableRedis;
  readonly #folder: string;
  readonly #server: RedisServer;
  readonly #host: DatabaseHost;
  readonly #logger: Logger;
  #record: DatabaseRecord;
  /** The process that is known to be what the record says. */
  #conforming: ProcessIdentity | null = null;
  /** Why a copy was given up, until it is asked for again. */
  #noRoom: string | null = null;
  /** The door that is open, for whom, and where to. */
  #door: { readonly door: Door; readonly grants: readonly Grant[]; readonly to: number } | null =
    null;

  constructor(folder: string, found: DatabaseRecord, host: DatabaseHost) {
    this.#folder = folder;
    this.#record = found;
    this.#host = host;
    this.#server = new RedisServer(folder);
    this.#logger = host.logger.child({ database: found.id });
    this.comparable = new ComparableRedis((use, how) => this.#session(use, how));
  }

  get id(): string {
    return this.#record.id;
  }

  variables(): Record<string, string> {
    const { state, port, login } = this.#record;
    if (state.role === 'empty') return {};
    const url = `redis://default:${login.password}@127.0.0.1:${port}`;
    return { SCALINGO_REDIS_URL: url, REDIS_URL: url };
  }

  get isBeingRemoved(): boolean {
    return this.#record.removing;
  }

  async tend(): Promise<void> {
    if (this.#record.state.role === 'empty' || this.#noRoom !== null) return;
    try {
      const running = await this.#server.identity();
      if (!running || !isDeepStrictEqual(running, this.#conforming)) await this.#run();
      await this.#mindTheDoor();
      await this.#tendCopy();
    } catch (error) {
      const { state } = this.#record;
      if (state.role !== 'follower' || state.copied || !isDiskFull(error)) throw error;
      await this.#giveUpCopy(state);
    }
  }

  async rest(): Promise<void> {
    await this.leave();
    // A follower that writes its first log does not end when it is asked to, and has nothing to lose.
    if (this.#record.state.role === 'follower') await this.#server.crash();
    else await this.#server.stop();
  }

  async leave(): Promise<void> {
    await this.#closeDoor();
  }

  async remove(): Promise<void> {
    if (!(await exists(this.#folder))) return;
    await this.#write({ removing: true }).catch(unlessDiskFull);
    await this.#empty();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async inspect(): Promise<Inspection> {
    const { state, version } = this.#record;
    const fenced = state.role === 'primary' && state.fenced;
    const common = {
      ...{ product: 'redis', role: state.role, fenced },
      move: { kind: 'live' },
    } as const;
    if (state.role === 'empty' || fenced) {
      return { ...common, version, size: 0, obstacles: [], unsuitable: [], remarks: [] };
    }
    const seen = await this.#look();
    return { ...common, version: seen.valkey_version ?? seen.redis_version, ...judge(seen) };
  }

  async grantFollow(follower: string, { from }: Peer): Promise<Endpoint> {
    const { version, login, certificate } = this.#record;
    const primary = this.#primary('let nobody follow it');
    const known = primary.grants.find((grant) => grant.follower === follower);
    const grant = { ...(known ?? (await this.#newGrant(follower))), from };
    if (!isDeepStrictEqual(known, grant)) {
      const others = primary.grants.filter((one) => one !== known);
      await this.#write({ state: { ...primary, grants: [...others, grant] } });
    }
    await this.#insist();
    await this.#mindTheDoor();
    return {
      ...{ version, host: this.#host.address, port: this.#record.doorPort, login },
      primaryCertificate: certificate,
      certificate: grant.certificate,
      privateKey: grant.privateKey,
      user: grant.user,
      password: grant.password,
      size: grant.size,
    };
  }

  async revokeFollow(follower: string): Promise<void> {
    const { state } = this.#record;
    if (state.role !== 'primary') return;
    const grants = state.grants.filter((one) => one.follower !== follower);
    if (grants.length === state.grants.length) return;
    await this.#write({ state: { ...state, grants } });
    await this.#mindTheDoor();
    await this.#insist();
  }

  async follow(given: Record<string, unknown>): Promise<void> {
    const endpoint = this.#endpoint(given);
    const { state } = this.#record;
    this.#noRoom = null;
    if (state.role === 'primary') {
      throw Refusal.conflict('primary', 'A primary does not follow; have it stand down first.');
    }
    const isSame =
      state.role === 'follower' &&
      state.endpoint.certificate === endpoint.certificate &&
      state.endpoint.password === endpoint.password;
    const copied = isSame && state.copied;
    if (!isSame) {
      await this.#write({ state: { role: 'empty' } });
      await this.#empty();
    }
    // The same primary may have come to be at another address.
    await this.#write({
      state: { role: 'follower', endpoint, copied },
      login: endpoint.login,
    });
    await this.#run();
  }

  async following(): Promise<Following> {
    const { state } = this.#record;
    const none: Following = { stage: 'idle', copied: 0, total: 0, lag: null, reason: null };
    if (state.role !== 'follower') return none;
    if (this.#noRoom !== null) return { ...none, stage: 'failed', reason: this.#noRoom };
    const seen = await this.#look().catch((error) => {
      this.#logger.debug({ err: error }, 'the follower does not answer');
      return null;
    });
    // It is being started.
    if (!seen) return { ...none, stage: state.copied ? 'catching-up' : 'copying' };
    const progress = progressOf(seen, state);
    if (seen.loading || seen.master_sync_in_progress || seen.master_link_status === 'up') {
      return progress;
    }
    const refusal = await refusalOf(state.endpoint);
    return refusal === null ? progress : { ...progress, stage: 'failed', reason: refusal };
  }

  async flush(): Promise<void> {
    // Nothing waits to be written: each write is on the disk before it is acknowledged.
  }

  async position(): Promise<string> {
    return formatPosition(positionOf(await this.#look()));
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    const wanted = parsePosition(position);
    // It was promoted since it had come there, and forgets its former history when it is started again.
    if (this.#record.state.role === 'primary') return;
    const watch = watchForCutOff(position);
    const isThere = async (session: Session) => {
      const seen = await session.info();
      // Its primary has begun another history.
      watch(seen.master_link_status === 'up' && seen.master_replid !== wanted.history);
      return hasReached(seen, wanted);
    };
    const what = `the follower to come to ${position}`;
    await comeTo(position, timeout, (left) =>
      this.#session((session) => until(() => isThere(session), { timeout: left, every: 5, what }), {
        timeout: left,
      }),
    );
  }

  async fence(signal?: AbortSignal): Promise<string> {
    const primary = this.#primary('be fenced');
    if (!primary.fenced) await this.#write({ state: { ...primary, fenced: true } });
    await this.#insist(signal);
    await this.#loaded(signal);
    await this.#mindTheDoor();
    if (primary.grants.length > 0) await this.#followersThere(signal);
    return this.position();
  }

  async unfence(): Promise<void> {
    const primary = this.#primary('be unfenced');
    await this.#write({ state: { ...primary, fenced: false } });
    try {
      if (await this.#server.identity()) await this.#run({ timeout: unfencePatience });
    } catch (error) {
      this.#logger.warn({ err: error }, 'a server that does not take back its fence is killed');
      await this.#server.crash();
    }
    await this.#insist();
    await this.#loaded();
    await this.#mindTheDoor();
  }

  async promote(signal?: AbortSignal): Promise<void> {
    const { state } = this.#record;
    if (state.role === 'empty') throw notWhole();
    if (state.role === 'follower') {
      await this.#run({ signal });
      await this.#whole(state.copied, signal);
      await this.#write({ state: { role: 'primary', begun: true, fenced: false, grants: [] } });
    }
    await this.#insist(signal);
    await this.#loaded(signal);
  }

  async followBack(given: Record<string, unknown>): Promise<void> {
    const endpoint = this.#endpoint(given);
    const { state } = this.#record;
    if (state.role !== 'primary') return this.follow(given);
    if (!state.fenced) throw Refusal.conflict('fence', 'Only a fenced primary can follow back.');
    await this.#write({ state: { role: 'follower', endpoint, copied: true } });
    await this.#mindTheDoor();
    await this.#insist();
  }

  async standDown(): Promise<void> {
    const meant = () => this.#write({ state: { role: 'empty' } });
    await noteThen(meant, () => this.#empty());
  }

  /** Notes that it has a copy, or that there is no room for one. */
  async #tendCopy(): Promise<void> {
    const { state } = this.#record;
    if (state.role !== 'follower' || state.copied) return;
    const seen = await this.#look();
    if (isInSync(seen)) return this.#write({ state: { ...state, copied: true } });
    // What it could not write it has removed by now.
    const { free } = await diskOf(this.#folder);
    if (hasFailedToWrite(seen) && free < seen.used_memory_dataset) await this.#giveUpCopy(state);
  }

  async #giveUpCopy({ endpoint }: Follower): Promise<void> {
    await this.#server.wipe();
    this.#noRoom = await noRoomFor(endpoint.size, this.#folder);
  }

  /** @throws Refusal `conflict` when it is another version's, whose data this one may not read */
  #endpoint(given: Record<string, unknown>): Endpoint {
    const endpoint = endpointSchema.parse(given);
    const { version } = this.#record;
    if (endpoint.version === version) return endpoint;
    throw Refusal.conflict(
      'version',
      `A Redis ${version} cannot follow a Redis ${endpoint.version}. Have the same version installed on both hosts.`,
    );
  }

  /** @throws Refusal `conflict` when it is none */
  #primary(what: string): Primary {
    const { state } = this.#record;
    if (state.role === 'primary') return state;
    throw Refusal.conflict('role', `A database that is ${state.role} cannot ${what}.`);
  }

  async #newGrant(follower: string): Promise<Omit<Grant, 'from'>> {
    const { used_memory_dataset: size } = await this.#look();
    const user = followerName(follower);
    return { follower, user, password: newSecret(), size, ...(await createCertificate(user)) };
  }

  /**
   * Waits until a follower could come back from its disk with all that it has.
   * @throws Refusal `conflict` when it has no whole copy
   */
  async #whole(copied: boolean, signal?: AbortSignal): Promise<void> {
    await until(
      async () => {
        const seen = await this.#look({ signal });
        const isBeingCopied = seen.master_sync_in_progress && seen.loading;
        if (isBeingCopied || !(copied || seen.master_link_status === 'up')) throw notWhole();
        return isDurable(seen);
      },
      { timeout: logPatience, every: 10, signal, what: 'the follower to have its log written' },
    );
  }

  /** Starts the server, unless it runs, and makes it be what the record says. */
  async #run(how: SessionOptions = {}): Promise<void> {
    this.#conforming = null;
    const running = (await this.#server.identity()) ?? (await this.#launch());
    await this.#server.writeSettings(this.#record);
    await this.#answers(running, how);
    await this.#session((session) => conform(session, this.#record), how);
    this.#conforming = running;
  }

  async #launch(): Promise<ProcessIdentity> {
    const { state } = this.#record;
    const program = this.#host.program();
    await this.#server.killAll();
    const hasData = await this.#server.hasData();
    if (state.role === 'primary' && state.begun && !hasData) {
      throw new Error(
        'Its data are gone from its folder, and it is not started without them. Put them back, or remove it.',
      );
    }
    if (state.role === 'follower' && state.copied && !hasData) {
      await this.#write({ state: { ...state, copied: false } });
    }
    // While it did not run, somebody else may have taken its port.
    if (!(await isFree(this.#record.port)))
      await this.#write({ port: await freePort(databasePorts) });
    await this.#server.makeDataFolder();
    const launched = await this.#server.launch(program, this.#record);
    if (state.role === 'primary' && !state.begun) {
      await this.#loaded();
      await this.#write({ state: { ...state, begun: true } });
    }
    return launched;
  }

  /** Waits until it can be spoken to, be it that it still reads its data. */
  async #answers(
    running: ProcessIdentity,
    { signal, timeout = comebackPatience }: SessionOptions,
  ): Promise<void> {
    await until(
      async () => {
        if (!isAlive(running)) {
          throw new Error(`Redis ended while starting. ${await this.#server.lastLogLines()}`);
        }
        return this.#look({ signal, timeout }).catch(() => null); // it does not listen yet
      },
      { timeout, every: 10, signal, what: 'Redis to answer' },
    );
  }

  /** Waits until it has read its data. */
  #loaded(signal?: AbortSignal): Promise<Info> {
    return until(
      async () => {
        const seen = await this.#look({ signal }).catch(() => null); // asked again, it may have come back
        return seen && !seen.loading && seen;
      },
      { timeout: loadPatience, every: 10, signal, what: 'Redis to read its data' },
    );
  }

  /** Waits a while for the first follower since it was started: with that its history is given its name. */
  async #followersThere(signal?: AbortSignal): Promise<void> {
    await until(async () => (await this.#look({ signal })).repl_backlog_active, {
      ...{ timeout: followersPatience, every: 20, signal, what: 'a follower' },
    }).catch((error) => this.#logger.warn({ err: error }, 'fencing without a follower'));
  }

  /** Makes it be what the record says, although it may crash meanwhile: it is started and told again. */
  async #insist(signal?: AbortSignal): Promise<void> {
    await pRetry(() => this.#run({ signal }), {
      ...{ retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 500 },
      maxRetryTime: comebackPatience,
      shouldRetry: ({ error }) => !(error instanceof Refusal),
      ...(signal && { signal }),
    });
  }

  /** Has the door open while somebody may follow, for those alone. */
  async #mindTheDoor(): Promise<void> {
    const { state, port, certificate, privateKey } = this.#record;
    const grants = state.role === 'primary' ? state.grants : [];
    const open = this.#door;
    if (isDeepStrictEqual(open?.grants ?? [], grants) && (open?.to ?? port) === port) return;
    await this.#closeDoor();
    if (grants.length === 0) return;
    // While it was closed, somebody else may have taken its port.
    if (!(await isFree(this.#record.doorPort, this.#host.address))) {
      await this.#write({ doorPort: await freePort(databasePorts) });
    }
    const door = await Door.open({
      ...{
        host: this.#host.address,
        port: this.#record.doorPort,
        certificate,
        privateKey,
        to: port,
        copyRate: this.#host.copyRate,
      },
      admitted: grants,
    });
    this.#door = { door, grants, to: port };
  }

  async #closeDoor(): Promise<void> {
    await this.#door?.door.close();
    this.#door = null;
  }

  async #empty(): Promise<void> {
    this.#conforming = null;
    this.#noRoom = null;
    await this.#closeDoor();
    await this.#server.wipe();
  }

  #look(how: SessionOptions = {}): Promise<Info> {
    return this.#session((session) => session.info(), how);
  }

  #session<T>(use: (session: Session) => Promise<T>, how: SessionOptions = {}): Promise<T> {
    return this.#server.session(this.#record.adminPassword, use, how);
  }

  async #write(changes: Partial<DatabaseRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    await writeJsonFile(recordFile(this.#folder), next);
    this.#record = next;
  }
}

function notWhole(): Refusal {
  return Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
}
