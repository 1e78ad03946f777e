import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Following, Inspection } from '../../../region/model.js';
import { noteThen, unlessDiskFull } from '../../../shared/disk.js';
import { isMissing, messageOf, Refusal } from '../../../shared/errors.js';
import { exists } from '../../../shared/exists.js';
import { databasePorts, freePort, isFree, isInUse } from '../../../shared/free-port.js';
import { newId, newSecret } from '../../../shared/ids.js';
import { writeJsonFile } from '../../../shared/json-file.js';
import type { Logger } from '../../../shared/logging.js';
import { until } from '../../../shared/until.js';
import { Copying, type CopyingParts } from '../copying.js';
import type { Database, Peer, Place } from '../product.js';
import { Door } from './door.js';
import { fetchPart } from './fetch.js';
import { listFolder, sizeOf } from './listing.js';
import {
  type Endpoint,
  endpoint as endpointSchema,
  type Login,
  type OfflineRecord,
} from './record.js';
import type { OfflineServer } from './server.js';

/** What an offline database is of, and what it runs with on its host. */
export interface OfflineHost extends Place {
  /** Name of the product. */
  readonly product: string;
  readonly server: OfflineServer;
  /** Holds the database's record. */
  readonly recordFile: string;
  /** The variables by which an app finds it. */
  variables(port: number, login: Login): Record<string, string>;
}

/**
 * One server for one app, of a product that cannot be followed: its files are copied. Those that are
 * never written again travel while the app is up, the others once the primary is fenced, which is
 * when its server is stopped. `data/` is always a whole copy; the next one grows beside it, in
 * `next/`, and takes its place.
 */
export class OfflineDatabase implements Database {
  readonly #folder: string;
  readonly #host: OfflineHost;
  readonly #door: Door;
  readonly #logger: Logger;
  #record: OfflineRecord;
  /** The copy under way, or the last one. */
  #copying: Copying | null = null;
  /** Ended when nobody is to wait for a position any more. */
  #waiting = new AbortController();

  constructor(folder: string, found: OfflineRecord, host: OfflineHost) {
    this.#folder = folder;
    this.#record = found;
    this.#host = host;
    this.#logger = host.logger.child({ database: found.id });
    const { certificate, privateKey } = found;
    this.#door = new Door({
      ...host,
      certificate: { certificate, privateKey },
      folder,
      lasts: host.server.lasts,
      grants: () => this.#record.grants,
      position: async () => ((await host.server.isRunning()) ? null : this.#record.fence),
      logger: this.#logger,
    });
  }

  get id(): string {
    return this.#record.id;
  }

  get isBeingRemoved(): boolean {
    return this.#record.removing;
  }

  variables(): Record<string, string> {
    const { role, port, login } = this.#record;
    return role === 'empty' ? {} : this.#host.variables(port, login);
  }

  async tend(): Promise<void> {
    const { role, fence, following } = this.#record;
    if (role === 'empty') return;
    await this.#tendDoor();
    if (role === 'follower') {
      if (following?.rest === null) this.#copyAhead(following.endpoint);
    } else if (fence === null) await this.#start();
    else await this.#host.server.stop();
  }

  async rest(): Promise<void> {
    await this.leave();
    await this.#host.server.stop();
  }

  async leave(): Promise<void> {
    await this.#giveUpCopying();
    await this.#door.close();
  }

  async remove(): Promise<void> {
    if (!(await exists(this.#folder))) return;
    await this.#write({ removing: true }).catch(unlessDiskFull);
    await this.#empty();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async inspect(): Promise<Inspection> {
    const { role, fence, version } = this.#record;
    if (role === 'primary' && fence === null && !(await this.#host.server.isRunning())) {
      throw new Error('its server does not run');
    }
    const { files } = await listFolder(this.#host.server.data, this.#host.server.lasts);
    return {
      ...{ product: this.#host.product, version, role, fenced: fence !== null },
      size: sizeOf(files),
      move: { kind: 'offline', rest: sizeOf(files.filter(({ lasting }) => !lasting)) },
      ...{ obstacles: [], unsuitable: [], remarks: [] },
    };
  }

  async grantFollow(follower: string, { from }: Peer): Promise<Endpoint> {
    const { role, grants } = this.#record;
    if (role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${role} cannot be followed.`);
    }
    const known = grants.find((grant) => grant.follower === follower);
    const grant = { follower, password: known?.password ?? newSecret(), from };
    if (!isDeepStrictEqual(known, grant)) {
      await this.#write({ grants: [...grants.filter((one) => one !== known), grant] });
    }
    await this.#tendDoor();
    const { version, doorPort, certificate, login } = this.#record;
    return {
      product: this.#host.product,
      version,
      host: this.#host.address,
      port: doorPort,
      password: grant.password,
      certificate,
      login,
    };
  }

  async revokeFollow(follower: string): Promise<void> {
    const grants = this.#record.grants.filter((one) => one.follower !== follower);
    await this.#write({ grants });
    // What goes on with the credential ends; whoever has another one comes again.
    await this.#door.close();
    await this.#tendDoor();
  }

  /** Copies what can be copied now; asked again, what has been added since. */
  async follow(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, following, version } = this.#record;
    if (role === 'primary') {
      throw Refusal.conflict('primary', 'A primary does not follow; have it stand down first.');
    }
    if (endpoint.product !== this.#host.product || endpoint.version !== version) {
      throw Refusal.conflict(
        'version',
        `${this.#host.product} ${version} cannot follow ${endpoint.product} ${endpoint.version}.`,
      );
    }
    const isSame = following !== null && sameEndpoint(following.endpoint, endpoint);
    if (isSame && following.rest === null && this.#copying?.isUnderWay) return;
    await this.#giveUpCopying();
    await this.#write({
      role: 'follower',
      login: endpoint.login,
      welcomed: true,
      following: { endpoint, rest: null, copied: following?.copied ?? null },
    });
    this.#copyAhead(endpoint);
  }

  async following(): Promise<Following> {
    const { following } = this.#record;
    const seen = { ...(this.#copying?.progress ?? { copied: 0, total: 0 }) };
    if (!following) return { stage: 'idle', ...seen, lag: null, reason: null };
    if (this.#copying?.failure) {
      return { stage: 'failed', ...seen, lag: null, reason: messageOf(this.#copying.failure) };
    }
    const stage = following.rest === null || this.#copying?.isUnderWay ? 'copying' : 'waiting';
    return { stage, ...seen, lag: following.rest, reason: null };
  }

  async flush(): Promise<void> {
    // What could be written out are files that do not last, which have to be copied all the same.
  }

  async position(): Promise<string> {
    const { fence, following } = this.#record;
    return fence ?? following?.copied ?? 'open';
  }

  /** Makes the copy of which the position is the end, unless it is there. */
  async waitFor(position: string, timeout: number): Promise<void> {
    let copying: Copying | null = null;
    const isThere = () => {
      const { role, following } = this.#record;
      if (role === 'primary' || following?.copied === position) return true;
      if (!following) throw Refusal.conflict('role', 'It follows nobody.');
      if (this.#copying?.isUnderWay) return false;
      if (copying?.failure) throw copying.failure;
      copying = this.#copyWhole(following.endpoint);
      return false;
    };
    const { signal } = this.#waiting;
    await until(isThere, { timeout, every: 20, signal, what: 'the copy' }).catch((error) => {
      if (error instanceof Refusal) throw error;
      if (signal.aborted) throw signal.reason;
      const what = `The database was not copied up to ${position}: ${messageOf(error)}.`;
      throw new Refusal('unavailable', what);
    });
  }

  async fence(signal?: AbortSignal): Promise<string> {
    const { role } = this.#record;
    if (role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${role} has nothing to fence.`);
    }
    const fence = this.#record.fence ?? newId();
    await this.#write({ fence });
    await this.#host.server.stop(signal);
    return fence;
  }

  async unfence(): Promise<void> {
    const { role } = this.#record;
    if (role !== 'primary') {
      throw Refusal.conflict('role', `A database that is ${role} cannot be unfenced.`);
    }
    // What was told to end accepts nobody any more, and may never come to its end.
    if (this.#record.fence !== null) await this.#host.server.crash();
    await this.#write({ fence: null });
    this.#door.endWhole();
    await this.#start();
  }

  async promote(signal?: AbortSignal): Promise<void> {
    const { role, following } = this.#record;
    if (role !== 'primary') {
      if (!following?.copied) {
        throw Refusal.conflict('role', 'Only a follower with a whole copy can be promoted.');
      }
      await this.#giveUpCopying();
      await this.#settle();
      await rm(this.#next.folder, { recursive: true, force: true });
      await this.#write({ role: 'primary', fence: null, following: null });
    }
    await this.#start(signal);
  }

  /** Keeps its copy, and is ready for another one; asked to {@link follow}, it begins that. */
  async followBack(given: Record<string, unknown>): Promise<void> {
    const endpoint = endpointSchema.parse(given);
    const { role, fence, following } = this.#record;
    if (role === 'primary' && fence === null) {
      throw Refusal.conflict('fence', 'Only a fenced primary can follow back.');
    }
    const copied = fence ?? following?.copied ?? null;
    await this.#write({
      ...{ role: 'follower', fence: null, grants: [] },
      following: { endpoint, rest: 0, copied },
    });
    await this.#tendDoor();
  }

  async standDown(): Promise<void> {
    const meant = () => this.#write({ role: 'empty', following: null, fence: null, grants: [] });
    await noteThen(meant, () => this.#empty());
  }

  /** Copies what lasts, unless that goes on or has failed. */
  #copyAhead(endpoint: Endpoint): void {
    this.#copying ??= new Copying(async (signal, onProgress) => {
      await this.#settle();
      const { rest } = await fetchPart(endpoint, 'ahead', this.#next, onProgress, signal);
      signal.throwIfAborted();
      await this.#writeFollowing({ rest });
    }, this.#copyingParts);
  }

  /** Copies all of a fenced primary, and puts it in the place of the copy that there was. */
  #copyWhole(endpoint: Endpoint): Copying {
    const copying = new Copying(async (signal, onProgress) => {
      await this.#settle();
      const { folder, earlier } = this.#next;
      const { position } = await fetchPart(endpoint, 'whole', this.#next, onProgress, signal);
      signal.throwIfAborted();
      await rename(earlier, this.#previous).catch(unlessMissing);
      await rename(folder, earlier);
      await this.#writeFollowing({ rest: 0, copied: position });
      await this.#settle();
    }, this.#copyingParts);
    this.#copying = copying;
    return copying;
  }

  get #copyingParts(): CopyingParts {
    const discard = () => rm(this.#next.folder, { recursive: true, force: true });
    return { folder: this.#folder, isRefusedForGood, discard };
  }

  /** Ends what a copy that took the place of another one may have left undone. */
  async #settle(): Promise<void> {
    const { data } = this.#host.server;
    if (await exists(data)) await rm(this.#previous, { recursive: true, force: true });
    else await rename(this.#previous, data).catch(unlessMissing);
  }

  async #empty(): Promise<void> {
    await this.#giveUpCopying();
    await this.#door.close();
    await this.#host.server.wipe();
    for (const folder of [this.#next.folder, this.#previous]) {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #giveUpCopying(): Promise<void> {
    this.#waiting.abort(new Refusal('unavailable', 'The copy was given up.'));
    this.#waiting = new AbortController();
    await this.#copying?.giveUp();
    this.#copying = null;
  }

  /** Followers are let in as long as there are some, whether the primary is fenced or not. */
  async #tendDoor(): Promise<void> {
    const { role, grants } = this.#record;
    if (role !== 'primary' || grants.length === 0) return this.#door.close();
    if (this.#door.isOpen) return;
    await this.#door.open(this.#record.doorPort).catch(async (error) => {
      if (!isInUse(error)) throw error;
      await this.#write({ doorPort: await freePort(databasePorts) });
      await this.#door.open(this.#record.doorPort);
    });
  }

  async #start(signal?: AbortSignal): Promise<void> {
    const { server } = this.#host;
    // While it did not run, somebody else may have taken its port.
    if (!(await server.isRunning()) && !(await isFree(this.#record.port))) {
      await this.#write({ port: await freePort(databasePorts) });
    }
    await server.start(this.#record.port, signal);
    if (this.#record.welcomed) return;
    await server.welcome(this.#record.port, this.#record.login);
    await this.#write({ welcomed: true });
  }

  get #next() {
    const { data: earlier, lasts, account: owner } = this.#host.server;
    return { folder: join(this.#folder, 'next'), earlier, lasts, owner };
  }

  get #previous(): string {
    return join(this.#folder, 'previous');
  }

  async #writeFollowing(changes: Partial<NonNullable<OfflineRecord['following']>>): Promise<void> {
    const { following } = this.#record;
    if (following) await this.#write({ following: { ...following, ...changes } });
  }

  async #write(changes: Partial<OfflineRecord>): Promise<void> {
    const next = { ...this.#record, ...changes };
    await writeJsonFile(this.#host.recordFile, next);
    this.#record = next;
  }
}

function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.host === b.host && a.port === b.port && a.password === b.password;
}

/** Whether the primary knows this follower no more: to ask again changes nothing. */
function isRefusedForGood(error: unknown): boolean {
  return error instanceof Refusal && error.kind === 'unauthorized';
}
