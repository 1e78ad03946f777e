import { rm } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { parseLsn } from '../../../postgresql/lsn.js';
import type { Following, Inspection } from '../../../region/model.js';
import { noteThen, unlessDiskFull } from '../../../shared/disk.js';
import { messageOf, Refusal } from '../../../shared/errors.js';
import { exists } from '../../../shared/exists.js';
import { newSecret } from '../../../shared/ids.js';
import { comeTo } from '../come-to.js';
import { Copying } from '../copying.js';
import type { Database, Peer } from '../product.js';
import { chooseLink } from './choose-link.js';
import { ComparableCluster } from './comparable.js';
import { inspectServer } from './inspect.js';
import type { Link } from './link.js';
import { LogicalLink } from './logical/link.js';
import { fenceLogically, grantLogically, revokeLogically } from './logical/primary.js';
import { endAnew, fencePhysically, PhysicalLink } from './physical.js';
import { platformOf, platform as platformSchema } from './platform.js';
import {
  createGrant,
  currentPosition,
  dropForeignGrants,
  followerName,
  isRefusedForGood,
  sizeOf,
} from './queries.js';
import {
  type DatabaseRecord,
  type Endpoint,
  endpoint as endpointSchema,
  fenceOf,
  type Grant,
} from './record.js';
import { type DatabaseHost, Server } from './server.js';

/** A follower that is this far behind, in bytes, is still catching up. */
const keepsUp = 16 * 1024 * 1024;

/** One PostgreSQL cluster for one app: a primary, or a follower of another. */
export class PostgresqlDatabase implements Database {
  readonly comparable: ComparableCluster;
  readonly #server: Server;
  /** The copy under way, or the last one. */
  #copying: Copying | null = null;

  constructor(folder: string, found: DatabaseRecord, host: DatabaseHost) {
    this.#server = new Server(folder, found, host);
    this.comparable = new ComparableCluster(this.#server);
  }

  get #record(): DatabaseRecord {
    return this.#server.record;
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
    const { following } = this.#record;
    if (following && !following.copied) {
      this.#copyInBackground(following.endpoint);
      return;
    }
    if (this.#copying?.isUnderWay) return; // whole by now, and started by who copied
    await this.#server.run();
    await this.#server.restrainCopies();
  }

  get isBeingRemoved(): boolean {
    return this.#record.removing;
  }

  async rest(): Promise<void> {
    await this.leave();
    await this.#server.cluster.stop();
  }

  async leave(): Promise<void> {
    await this.#giveUpCopying();
  }

  async remove(): Promise<void> {
    const { folder } = this.#server;
    if (!(await exists(folder))) return;
    await this.#server.write({ removing: true }).catch(unlessDiskFull);
    await this.#empty();
    await rm(folder, { recursive: true, force: true });
  }

  async inspect(to?: Record<string, unknown>): Promise<Inspection> {
    const { role, fenced, major } = this.#record;
    const own = await platformOf(this.#server.host.binaries());
    const found =
      role === 'primary' && !fenced
        ? await inspectServer(this.#server, own, to ? platformSchema.parse(to) : own)
        : { version: major, size: 0, obstacles: [], unsuitable: [], remarks: [] };
    return {
      ...{ product: 'postgresql', role, fenced, platform: own, move: { kind: 'live' } },
      ...found,
    };
  }

  async grantFollow(follower: string, { platform: to, from }: Peer): Promise<Endpoint> {
    const { grants, port, certificate, login, major } = this.#record;
    const own = await platformOf(this.#server.host.binaries());
    const theirs = to ? platformSchema.parse(to) : own;
    const link = await chooseLink(this.#server, own, theirs);
    const known = grants.find((grant) => grant.follower === follower && grant.link === link);
    const { name, password } = known ?? {
      name: followerName(follower),
      password: newSecret(),
    };
    const grant = { follower, name, password, link, from };
    if (!isDeepStrictEqual(known, grant)) {
      const others = grants.filter((one) => one.follower !== follower);
      await this.#server.write({ grants: [...others, grant] });
    }
    await this.#dropAllGrantsBut(this.#record.grants);
    if (link === 'physical') await this.#server.insist((client) => createGrant(client, grant));
    else await grantLogically(this.#server, grant, theirs);
    await this.#server.reconfigure();
    const endpoint = {
      major,
      host: this.#server.host.address,
      port,
      user: grant.name,
      password: grant.password,
      slot: grant.name,
      certificate,
      login,
    };
    return link === 'physical' ? { ...endpoint, link } : { ...endpoint, link, follower };
  }

  async revokeFollow(follower: string): Promise<void> {
    const grants = this.#record.grants.filter((one) => one.follower !== follower);
    if (this.#record.role === 'primary' && !this.#record.fenced) {
      await this.#dropAllGrantsBut(grants);
    }
    await this.#server.write({ grants });
    if (await this.#server.cluster.exists()) await this.#server.reconfigure();
  }

  async follow(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, following, major } = this.#record;
    if (role === 'primary') {
      throw Refusal.conflict('primary', 'A primary does not follow; have it stand down first.');
    }
    if (endpoint.link === 'physical' && endpoint.major !== major) {
      throw Refusal.conflict(
        'version',
        `A PostgreSQL ${major} cannot follow the files of a PostgreSQL ${endpoint.major}.`,
      );
    }
    const same = following !== null && sameEndpoint(following.endpoint, endpoint);
    if (same && !following.copied && this.#copying?.isUnderWay) return;
    if (same && following.copied && (await this.#link(endpoint).isKept())) return;
    await this.#giveUpCopying();
    await this.#server.write({
      role: 'follower',
      login: endpoint.login,
      following: { endpoint, copied: false, carried: false },
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
    const link = this.#link(following.endpoint);
    const [lag, size, stuckOn] = await Promise.all([
      link.lag(),
      this.#server.query(sizeOf),
      link.stuckOn(),
    ]).catch((error) => {
      if (isStarting(error)) return [null, seen.copied, null] as const;
      throw error;
    });
    if (stuckOn !== null) return { ...seen, stage: 'failed', reason: stuckOn };
    const stage = lag !== null && lag < keepsUp ? 'streaming' : 'catching-up';
    return { stage, lag, copied: size, total: size, reason: null };
  }

  async flush(signal?: AbortSignal): Promise<void> {
    await this.#server.insist((client) => client.query('CHECKPOINT'), signal);
  }

  async position(): Promise<string> {
    return this.#server.query(currentPosition);
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    parseLsn(position);
    const { following } = this.#record;
    if (!following) throw Refusal.conflict('role', 'Only a follower waits for a position.');
    await comeTo(position, timeout, (left) =>
      this.#link(following.endpoint).waitFor(position, left),
    );
  }

  async fence(signal?: AbortSignal): Promise<string> {
    await this.#beginFence();
    return fenceOf(this.#record) === 'down'
      ? fencePhysically(this.#server, signal)
      : fenceLogically(this.#server, signal);
  }

  async fenceAgain(signal?: AbortSignal): Promise<string> {
    await this.#beginFence();
    return fenceOf(this.#record) === 'down'
      ? endAnew(this.#server, signal)
      : fenceLogically(this.#server, signal);
  }

  async unfence(): Promise<void> {
    if (this.#record.role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${this.#record.role} cannot be unfenced.`);
    }
    // What was asked to end accepts nobody any more, and may never come to its end.
    if (this.#record.fenced) await this.#server.cluster.crash();
    await this.#server.write({ fenced: false });
    await this.tend();
    await this.#server.start(); // it may have been starting already; the app starts next
  }

  async promote(signal?: AbortSignal): Promise<void> {
    const { role, following } = this.#record;
    // What it was to do last may have been left undone by a crash.
    if (role === 'primary') return this.#server.reconfigure();
    if (!following?.copied) {
      throw Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
    }
    await this.#link(following.endpoint).promote(signal);
  }

  async followBack(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, fenced } = this.#record;
    if (role === 'primary' && !fenced) {
      throw Refusal.conflict('fence', 'Only a fenced primary can follow back.');
    }
    await this.#server.write({
      role: 'follower',
      fenced: false,
      grants: [],
      following: { endpoint, copied: true, carried: false },
    });
    await this.#link(endpoint).followBack();
  }

  async standDown(): Promise<void> {
    const { role, following, grants } = this.#record;
    // What was followed, or follows, by rows can be filled again where it could not be made anew.
    const isKept =
      role === 'empty' ||
      following?.endpoint.link === 'logical' ||
      grants.some(({ link }) => link === 'logical');
    const meant = () =>
      this.#server.write({ role: 'empty', following: null, fenced: false, grants: [] });
    await noteThen(meant, async () => {
      await this.#giveUpCopying();
      if (isKept) await this.#server.cluster.crash();
      else await this.#server.cluster.wipe();
    });
  }

  async #beginFence(): Promise<void> {
    const { role, fenced } = this.#record;
    if (role !== 'primary')
      throw Refusal.conflict('role', `A database that is ${role} has nothing to fence.`);
    if (!fenced) await this.#server.write({ fenced: true });
  }

  /** The roles and slots of followers, also such as came along from a former primary. */
  async #dropAllGrantsBut(grants: readonly Grant[]): Promise<void> {
    const names = (some: readonly Grant[]) => some.map(({ name }) => name);
    const byRows = names(grants.filter(({ link }) => link === 'logical'));
    await this.#server.insist(() => revokeLogically(this.#server, byRows));
    await this.#server.insist((client) => dropForeignGrants(client, names(grants)));
  }

  #link(endpoint: Endpoint): Link {
    return endpoint.link === 'logical'
      ? new LogicalLink(this.#server, endpoint)
      : new PhysicalLink(this.#server, endpoint);
  }

  /** Copies, unless that goes on or has failed, and then follows. */
  #copyInBackground(endpoint: Endpoint): void {
    this.#copying ??= new Copying(
      (signal, onProgress) => this.#link(endpoint).copy(onProgress, signal),
      {
        folder: this.#server.folder,
        isRefusedForGood,
        discard: () => this.#link(endpoint).discard(),
      },
    );
  }

  async #empty(): Promise<void> {
    await this.#giveUpCopying();
    await this.#server.cluster.wipe();
  }

  async #giveUpCopying(): Promise<void> {
    await this.#copying?.giveUp();
    this.#copying = null;
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
