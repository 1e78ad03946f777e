import type pg from 'pg';
import { copyCluster } from '../../../postgresql/base-backup.js';
import { readControlFile } from '../../../postgresql/control-file.js';
import { formatLsn, parseLsn } from '../../../postgresql/lsn.js';
import type { CopyProgress } from '../../../shared/copy-progress.js';
import { until } from '../../../shared/until.js';
import type { Link } from './link.js';
import { atPaceOfPrimary } from './primary-pace.js';
import { hearFrom, physicalLag, promoteFollower, replayPosition } from './queries.js';
import type { PhysicalEndpoint } from './record.js';
import type { Server } from './server.js';

/** How long a primary that is to end waits for its followers, in milliseconds. */
const followersPatience = 5_000;

/** A follower whose files are its primary's, and whose write-ahead log is too. */
export class PhysicalLink implements Link {
  readonly #server: Server;
  readonly #endpoint: PhysicalEndpoint;

  constructor(server: Server, endpoint: PhysicalEndpoint) {
    this.#server = server;
    this.#endpoint = endpoint;
  }

  async copy(onProgress: (progress: CopyProgress) => void, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#server;
    await cluster.wipe();
    await cluster.makeDataFolder();
    const { data, account } = cluster;
    await atPaceOfPrimary(this.#endpoint, { replication: 'true', signal }, (pace) =>
      copyCluster(this.#endpoint, { folder: data, owner: account, pace }, onProgress, signal),
    );
    await cluster.sync();
    signal.throwIfAborted();
    await cluster.writeFile('standby.signal', '');
    await this.#server.write({
      following: { endpoint: this.#endpoint, copied: true, carried: false },
    });
    await this.#server.start(signal);
  }

  /** Not looked at: one whose slot has lost something shows as a follower that does not catch up. */
  async isKept(): Promise<boolean> {
    return true;
  }

  lag(): Promise<number | null> {
    return this.#server.query(physicalLag);
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    const wanted = parseLsn(position);
    await this.#server.query((client: pg.Client) =>
      until(async () => (await replayPosition(client)) >= wanted, {
        timeout,
        every: 5,
        what: `the follower to replay ${position}`,
      }),
    );
  }

  async promote(signal?: AbortSignal): Promise<void> {
    await this.#server.insist(promoteFollower, signal);
    await this.#server.write({ role: 'primary', following: null });
  }

  async followBack(): Promise<void> {
    const { cluster } = this.#server;
    if (await cluster.identity()) return;
    await cluster.writeFile('standby.signal', '');
    await this.#server.start();
  }
}

/** Shuts a primary down in order, which sends its followers the end of its history. @returns where that is */
export async function fencePhysically(server: Server, signal?: AbortSignal): Promise<string> {
  const { cluster } = server;
  await followersThere(server, signal);
  await cluster.stop(signal);
  if (!(await readControlFile(cluster.data)).shutDown) await endCleanly(server, signal);
  // The last record is the shutdown checkpoint, and begins here: whoever is past its first
  // byte has replayed it.
  const { checkpoint } = await readControlFile(cluster.data);
  return formatLsn(checkpoint + 1n);
}

/**
 * Gives a crashed primary a clean end to its history: recovery, with only followers let in, and
 * a shutdown once they are back, since that is what sends them the end of it.
 */
async function endCleanly(server: Server, signal?: AbortSignal): Promise<void> {
  await server.start(signal);
  await followersThere(server, signal);
  await server.cluster.stop(signal);
}

/** Waits a while for followers that lost sight of it: only those that are there hear of its end. */
async function followersThere(server: Server, signal?: AbortSignal): Promise<void> {
  const followers = server.record.grants
    .filter(({ link }) => link === 'physical')
    .map(({ name }) => name);
  await server
    .query((client) => hearFrom(client, followers, followersPatience), { signal })
    .catch((error) => server.logger.warn({ err: error }, 'fencing without a follower'));
}
