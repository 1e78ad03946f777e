import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { ApiClient } from '../../src/client/api-client.js';
import { packFolder } from '../../src/client/pack-folder.js';
import type { Door } from '../../src/dev/verify/door.js';
import { readEntries } from '../../src/dev/verify/read-entries.js';
import { Witness } from '../../src/dev/verify/witness.js';
import { Cluster } from '../../src/postgresql/cluster.js';
import { messageOf } from '../../src/shared/errors.js';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
  withVariable,
} from '../../src/shared/processes.js';
import { until } from '../../src/shared/until.js';
import { Tampering } from '../api/tampering.js';
import type { Database } from '../database.js';
import { runPieces } from '../e2e/run-pieces.js';
import type { Network } from '../network/network.js';
import { Lines } from './lines.js';
import {
  type Databases,
  type Fault,
  type Line,
  type ProductName,
  products,
  type Victim,
} from './plan.js';

export type RegionName = 'here' | 'there';

/** Something that was done to a part of the system, and for how long it was away. */
export interface Harm {
  readonly kind: Fault['what']['kind'];
  readonly victim: Victim | Line | 'worker';
  /** Milliseconds since the epoch; `to` is infinite while it is away. */
  readonly from: number;
  to: number;
}

export const app = 'ledger';

/** A server and two regions, and one app that is moved between these, run after run. */
export class World {
  readonly tampering: Tampering;
  readonly lines: Lines;
  readonly witness: Witness;
  readonly pieces: Awaited<ReturnType<typeof runPieces>>;
  /** What the app has a database of. */
  readonly databases: Databases;
  /** Where the app is. */
  home: RegionName = 'here';
  /** Why something could not be started again; null while all is well. */
  broken: string | null = null;
  /** What is being started again. */
  readonly #mending = new Set<Promise<void>>();
  readonly #killed = new Set<string>();

  private constructor(
    parts: Pick<World, 'tampering' | 'lines' | 'witness' | 'pieces' | 'databases'>,
  ) {
    this.databases = parts.databases;
    this.tampering = parts.tampering;
    this.lines = parts.lines;
    this.witness = parts.witness;
    this.pieces = parts.pieces;
  }

  /**
   * @param ledger folder of the example, with its packages
   * @param databases that the app gets, PostgreSQL first
   * @param network that the regions are in; then nobody tampers with what the server asks of them
   */
  static async make(
    database: Database,
    ledger: string,
    databases: Databases,
    network?: Network,
  ): Promise<World> {
    const tampering = new Tampering();
    const server = ['--requests-per-minute', '100000', '--verify-percent', '100'];
    const [pieces, witness] = await Promise.all([
      network
        ? runPieces(untouched, database, { server, places: network.places })
        : runPieces(tampering, database, { server }),
      Witness.listen(network?.outside),
    ]);
    const world = new World({
      ...{ tampering, lines: new Lines(tampering), witness, pieces, databases },
    });
    await world.#deploy(ledger);
    return world;
  }

  async close(): Promise<void> {
    await this.mended();
    await this.pieces.close();
    await this.witness.close();
    this.lines.close();
    this.tampering.close();
  }

  get away(): RegionName {
    return this.home === 'here' ? 'there' : 'here';
  }

  /** Databases other than that which entries are read from. */
  get copies(): readonly ProductName[] {
    return this.databases.filter((product) => product !== 'postgresql');
  }

  client(region: RegionName): ApiClient {
    return new ApiClient({ url: this.pieces.url, token: this.pieces.token, region });
  }

  /** Where clients of a region's edge come to the app. */
  door(region: RegionName): Door {
    const edge = this.pieces.edges[region];
    return { url: `http://${app}.${region}.localhost:${new URL(edge).port}`, edge };
  }

  /** Does harm, and has it mended after a while; returns when it is done, not when it is mended. */
  async harm({ what, pause }: Fault, done: (harm: Harm) => void): Promise<void> {
    const victim = 'victim' in what ? what.victim : 'line' in what ? what.line : 'worker';
    const harm: Harm = { kind: what.kind, victim, from: Date.now(), to: Number.POSITIVE_INFINITY };
    const mend = await this.#begin(what);
    if (!mend) return;
    done(harm);
    const mending = (async () => {
      await sleep(pause);
      await mend();
      harm.to = Date.now();
    })().catch((error) => {
      this.broken = messageOf(error);
    });
    const tracked = mending.finally(() => this.#mending.delete(tracked));
    this.#mending.add(tracked);
  }

  /** Waits until everything is started again. */
  async mended(): Promise<void> {
    while (this.#mending.size > 0) await Promise.all(this.#mending);
  }

  /** @returns how it is mended; null when there was nothing to harm */
  async #begin(what: Fault['what']): Promise<(() => Promise<void>) | null> {
    switch (what.kind) {
      case 'kill':
        return this.#kill(what.victim);
      case 'stall':
        return this.#stall(what.victim);
      case 'hang':
        return this.#stall('worker');
      default:
        return this.lines.harm(what.kind, this.regionOf(what.line), what.line);
    }
  }

  /** @returns how it is started again; null when it did not run */
  async #kill(victim: Victim): Promise<(() => Promise<void>) | null> {
    const product = productOf(victim);
    if (product) {
      const [server] = this.servers(this.regionOf(victim), product);
      if (!server || !signalProcess(server, 'SIGKILL')) return null;
      await waitForExit(server, 10_000);
      return async () => undefined; // by its agent
    }
    const piece = victim === 'server' ? 'server' : this.regionOf(victim);
    if (this.#killed.has(piece)) return null;
    this.#killed.add(piece);
    await this.pieces.kill(piece);
    return async () => {
      await this.pieces.start(piece);
      this.#killed.delete(piece);
    };
  }

  async #stall(victim: Victim | 'worker'): Promise<(() => Promise<void>) | null> {
    const process = this.#toBeStalled(victim);
    if (!process || !signalProcess(process, 'SIGSTOP')) return null;
    return async () => void signalProcess(process, 'SIGCONT');
  }

  #toBeStalled(victim: Victim | 'worker'): ProcessIdentity | null {
    if (victim === 'worker') {
      const workers = withVariable('GODWIT_PROCESS').filter(({ process, value }) => {
        const command = readOr(`/proc/${process.pid}/cmdline`);
        return (
          value.includes('/worker-1/') && command.includes('worker.js') && this.#isMine(process.pid)
        );
      });
      return workers.at(-1)?.process ?? null;
    }
    const product = productOf(victim);
    if (product) {
      const [server] = this.servers(this.regionOf(victim), product);
      return server && product === 'postgresql' ? walSender(server.pid) : (server ?? null);
    }
    const pid = this.pieces.pidOf(victim === 'server' ? 'server' : this.regionOf(victim));
    return pid === null ? null : identify(pid);
  }

  regionOf(victim: Victim | Line): RegionName {
    return victim.startsWith('home') ? this.home : this.away;
  }

  /** Folders of a region's databases of a product. */
  databaseFolders(region: RegionName, product: ProductName): string[] {
    const all = join(this.pieces.dir, 'regions', region, 'databases');
    return readdirOr(all)
      .map((id) => join(all, id))
      .filter((folder) => readOr(join(folder, recordFiles[product])) !== '');
  }

  /** What is remembered of a region's databases of a product. */
  databaseRecords(region: RegionName, product: ProductName): string[] {
    return this.databaseFolders(region, product).map((folder) =>
      readOr(join(folder, recordFiles[product])),
    );
  }

  /** Servers that run for a region's databases of a product. */
  servers(region: RegionName, product: ProductName): ProcessIdentity[] {
    return this.databaseFolders(region, product).flatMap((folder) => {
      const text = readOr(join(folder, 'process.json'));
      const known = text === '' ? null : processIdentity.parse(JSON.parse(text));
      return known && isAlive(known) ? [known] : [];
    });
  }

  /** Logs of the PostgreSQL databases of a region, by their ids. */
  databaseLogs(region: RegionName): Map<string, string> {
    const folders = this.databaseFolders(region, 'postgresql');
    return new Map(
      folders.map((folder) => [basename(folder), readOr(join(folder, 'postgresql.log'))]),
    );
  }

  /** Asks the database of the app where it is; by its socket, which is reached from any network. */
  async query<Row extends pg.QueryResultRow>(sql: string): Promise<Row[]> {
    const variables = await this.client(this.home).variables(app);
    const url = variables.find(({ name }) => name === 'DATABASE_URL')?.value ?? '';
    const { port, pathname } = new URL(url);
    const [folder = ''] = this.databaseFolders(this.home, 'postgresql');
    const cluster = new Cluster(folder, () => {
      throw new Error('It is the agent that starts it.');
    });
    return cluster.session(Number(port), async (client) => (await client.query<Row>(sql)).rows, {
      database: pathname.slice(1),
    });
  }

  /** Everything of a region's that runs, other than its agent: processes of apps, and of databases. */
  processes(region: RegionName): string[] {
    const folder = join(this.pieces.dir, 'regions', region);
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && identify(Number(name)) !== null)
      .filter((pid) => {
        const [cwd, data] = [linkOr(`/proc/${pid}/cwd`), linkOr(`/proc/${pid}/fd/3`)];
        return cwd.startsWith(folder) || data.startsWith(join(folder, 'databases'));
      })
      .map((pid) => readOr(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim());
  }

  async list(region: RegionName, what: 'apps' | 'databases'): Promise<string[]> {
    return readdir(join(this.pieces.dir, 'regions', region, what)).catch((): string[] => []);
  }

  #isMine(pid: number): boolean {
    return linkOr(`/proc/${pid}/cwd`).startsWith(this.pieces.dir);
  }

  async #deploy(folder: string): Promise<void> {
    const client = this.client(this.home);
    await client.createApp(app);
    for (const product of this.databases) {
      await client.addAddon(app, { product, plan: `${product}-sandbox` });
    }
    await client.setVariables(app, { LEDGER_WITNESS: this.witness.url });
    const id = await client.deploy(app, packFolder(folder));
    await until(
      async () => {
        const { status, output } = await client.deployment(app, id);
        if (status.endsWith('error')) throw new Error(output);
        return status === 'success';
      },
      { timeout: 60_000, every: 100, what: 'the deployment' },
    );
    await client.scale(app, { web: 2, worker: 1 });
    await until(() => readEntries(this.door(this.home)).catch(() => null), {
      timeout: 60_000,
      every: 100,
      what: 'the app to answer',
    });
  }
}

/** The server asks the regions themselves. */
const untouched: Pick<Tampering, 'between'> = { between: async (entry) => entry };

/** The file of a database's folder that tells of what product it is. */
const recordFiles: Record<ProductName, string> = {
  postgresql: 'database.json',
  mariadb: 'mariadb.json',
  redis: 'redis.json',
};

/** What product a victim is a database of; null when it is none. */
function productOf(victim: Victim | 'worker'): ProductName | null {
  return products.find((product) => victim.endsWith(`-${product}`)) ?? null;
}

/** The process that sends a database's log to its follower. */
function walSender(postmaster: number): ProcessIdentity | null {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const isChild = readOr(`/proc/${name}/status`).includes(`\nPPid:\t${postmaster}\n`);
    if (isChild && readOr(`/proc/${name}/cmdline`).includes('walsender'))
      return identify(Number(name));
  }
  return null;
}

function readOr(path: string, otherwise = ''): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // gone
  }
}

function linkOr(path: string, otherwise = ''): string {
  try {
    return readlinkSync(path);
  } catch {
    return otherwise;
  }
}

function readdirOr(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
