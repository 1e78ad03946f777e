import pRetry from 'p-retry';
import type pg from 'pg';
import { copyCluster } from '../../../postgresql/base-backup/copy-cluster.js';
import { readControlFile } from '../../../postgresql/control-file.js';
import { formatLsn, parseLsn } from '../../../postgresql/lsn.js';
import type { CopyProgress } from '../../../shared/copy-progress.js';
import { until } from '../../../shared/until.js';
import { watchForCutOff } from '../come-to.js';
import type { Link } from './link.js';
import { atPaceOfPrimary } from './primary-pace.js';
import { hearFrom, physicalLag, promoteFollower, replayPosition } from './queries.js';
import type { PhysicalEndpoint } from './record.js';
import { comeback, type Server } from './server.js';

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
    const { data: folder, account: owner, binaries } = cluster;
    await atPaceOfPrimary(this.#endpoint, { replication: 'true', signal }, (rate) =>
      copyCluster(this.#endpoint, { folder, owner, binaries, rate }, onProgress, signal),
    );
    await cluster.sync();
    signal.throwIfAborted();
    await cluster.writeFile('standby.signal', '');
    await this.#server.write({
      following: { endpoint: this.#endpoint, copied: true, carried: false },
    });
    await this.#server.start(signal);
  }

  async discard(): Promise<void> {
    await this.#server.cluster.wipe();
  }

  /** Not looked at: one whose slot has lost something shows as a follower that does not catch up. */
  async stuckOn(): Promise<null> {
    return null;
  }

  async isKept(): Promise<boolean> {
    return true;
  }

  lag(): Promise<number | null> {
    return this.#server.query(physicalLag);
  }

  async waitFor(position: string, timeout: number): Promise<void> {
    const wanted = parseLsn(position);
    const watch = watchForCutOff(position);
    await this.#server.query((client: pg.Client) => {
      const isThere = async () => {
        const { replayed, received, streams } = await replayPosition(client);
        watch(!streams && received < wanted);
        return replayed >= wanted;
      };
      const what = `the follower to replay ${position}`;
      return until(isThere, { timeout, every: 5, what });
    });
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
  return (await readControlFile(cluster.data)).shutDown ? endOf(server) : endAnew(server, signal);
}

/**
 * Gives a primary that crashed, or whose followers missed it, another end to its history: recovery, with only
 * followers let in, and a shutdown once they are back, since that is what sends them the end. @returns where that is
 */
export async function endAnew(server: Server, signal?: AbortSignal): Promise<string> {
  const { cluster } = server;
  const end = async () => {
    await server.start(signal);
    await followersThere(server, signal);
    await cluster.stop(signal);
    // One that crashed meanwhile may have gone on past what anybody was told, and could not follow back.
    if (!(await readControlFile(cluster.data)).shutDown) throw new Error('It crashed as it ended.');
  };
  await pRetry(end, { ...comeback, ...(signal && { signal }) });
  return endOf(server);
}

async function endOf({ cluster }: Server): Promise<string> {
  // The last record is the shutdown checkpoint, and begins here: whoever is past its first
  // byte has replayed it.
  const { checkpoint } = await readControlFile(cluster.data);
  return formatLsn(checkpoint + 1n);
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
