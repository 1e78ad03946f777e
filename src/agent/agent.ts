import { mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { findBinaries } from '../postgresql/binaries.js';
import { hostStack } from '../region/model.js';
import { lockFolder } from '../shared/folder-lock.js';
import { listeningPort } from '../shared/listening-port.js';
import type { Logger } from '../shared/logging.js';
import { Addons } from './apps/addons.js';
import { AppHost } from './apps/app-host.js';
import { Apps } from './apps/apps.js';
import { Attachments } from './apps/attachments.js';
import { Deployments } from './apps/deployments.js';
import { Forwards } from './apps/forwards.js';
import { Freezes } from './apps/freezes.js';
import { Operations } from './apps/operations.js';
import { Shelf } from './apps/shelf.js';
import { Traffic } from './apps/traffic.js';
import { Sources } from './builds/sources.js';
import { Databases } from './databases/databases.js';
import { findInfluxd, influxdb } from './databases/influxdb/influxdb.js';
import { mariadb } from './databases/mariadb/mariadb.js';
import { findMariadb } from './databases/mariadb/programs.js';
import { postgresql } from './databases/postgresql/postgresql.js';
import { findRedis } from './databases/redis/binaries.js';
import { redis } from './databases/redis/redis.js';
import { Edge } from './edge/edge.js';
import { ownCertificate } from './edge/own-certificate.js';
import { buildHttp } from './http.js';
import { performs } from './performs.js';
import { CopyRate } from './pressure/copy-rate.js';
import { Probes } from './probes/probes.js';
import { HostProcesses } from './runtime/host-processes/host-processes.js';

export interface AgentOptions {
  readonly name: string;
  /** The region's folder; all that it hosts is in there. */
  readonly dir: string;
  /** Address of this host: to listen on, and for the control plane and other regions. */
  readonly host: string;
  /** For the control plane; 0 for any that is free. */
  readonly port: number;
  /** For the apps' clients; 0 for any that is free. */
  readonly edgePort: number;
  /** For those that come by TLS; 0 for any that is free. */
  readonly edgeHttpsPort: number;
  /** What the control plane proves itself with. */
  readonly token: string;
  /** Majors of PostgreSQL to offer, of those that the host has; null for all. */
  readonly postgresql: readonly string[] | null;
  /** For how long a freeze waits for what was begun before, in milliseconds; a minute if not given. */
  readonly freezePatience?: number;
  readonly hold?: HoldLimits;
  /** Where connections of this host to other regions come from; `host`, if not given. */
  readonly origins?: readonly string[] | undefined;
  /** Bytes a second at which each database may be copied from here at most; null, or not given, for any. */
  readonly copyRate?: number | null;
  readonly logger: Logger;
}

/** What a hold may take, for one app. As usual where not given. */
export interface HoldLimits {
  /** Requests that may wait at once. */
  readonly requests?: number | undefined;
  /** Bytes that these may take. */
  readonly bytes?: number | undefined;
  /** How long those that the app is answering may take to end, in milliseconds. */
  readonly drainTime?: number | undefined;
}

export interface Agent {
  /** `host:port` for the control plane. */
  readonly address: string;
  /** `host:port` for the apps' clients. */
  readonly edge: string;
  /** `host:port` for those that come by TLS. */
  readonly edgeHttps: string;
  /** Ends the agent, and what it hosts if `stop`; otherwise that goes on, to be found again. */
  close(how: { stop: boolean }): Promise<void>;
}

/**
 * Starts a region on this host, or takes it over again after a crash of its agent.
 * @throws when another agent has the folder
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { name, dir, host, port, edgePort, edgeHttpsPort, token, logger } = options;
  await mkdir(dir, { recursive: true });
  await lockFolder(dir, 'agent');
  const majors = (await findBinaries()).filter(
    ({ major }) => options.postgresql?.includes(major) ?? true,
  );
  const copyRate = new CopyRate({
    most: options.copyRate ?? null,
    answers: () => edge.answers,
    logger,
  });
  const place = { address: host, copyRate: copyRate.now, logger };
  const databasesDir = join(dir, 'databases');
  const databases = new Databases({
    dir: databasesDir,
    products: [
      postgresql({ majors, ...place }),
      influxdb({ influxd: await findInfluxd(), ...place }),
      redis({ programs: await findRedis(), ...place }),
      mariadb({ programs: await findMariadb(), ...place }),
    ],
    logger,
  });
  const shelf = new Shelf(join(dir, 'apps'));
  const { hold = {} } = options;
  const edge: Edge = new Edge({
    host,
    port: edgePort,
    tls: { port: edgeHttpsPort, certificate: await ownCertificate(join(dir, 'edge.pem'), name) },
    logger,
    limits: {
      ...(hold.requests === undefined ? {} : { waiting: hold.requests }),
      ...(hold.bytes === undefined ? {} : { waitingBytes: hold.bytes }),
    },
    log: (app, lines) => appHost.log(app, lines),
  });
  const runtime = new HostProcesses({
    logger,
    changed: (app) => {
      const record = shelf.find(app);
      if (record) appHost.route(record);
    },
  });
  const appHost: AppHost = new AppHost({ region: name, shelf, databases, edge, runtime });
  const sources = new Sources(join(dir, 'sources'));
  const deployments = new Deployments({
    shelf,
    host: appHost,
    runtime,
    sources,
    cache: join(dir, 'cache'),
    url: () => `http://${address()}`,
    logger,
  });
  const operations = new Operations({ shelf, health: (app) => runtime.health(app) });
  const stacks = [hostStack];
  const forwards = new Forwards({ file: join(dir, 'forwards.json'), edge });
  const apps = new Apps({
    ...{
      host: appHost,
      shelf,
      databases,
      edge,
      runtime,
      deployments,
      operations,
      stacks,
      forwards,
      logger,
    },
  });
  const attachments = new Attachments({ shelf, host: appHost });
  const addons = new Addons({ shelf, databases });
  const freezes = new Freezes({ shelf, addons, deployments, patience: options.freezePatience });
  const { drainTime } = hold;
  const traffic = new Traffic({ shelf, host: appHost, edge, forwards, drainTime });
  const describe = async () => ({
    name,
    agent: address(),
    edge: edge.address,
    edgeHttps: edge.secureAddress,
    offers: await databases.offers(),
    stacks,
    origins: [...(options.origins ?? [host])],
    memory: totalmem(),
  });
  const probes = new Probes({
    dir,
    databases: databasesDir,
    host,
    describe,
    copyRate: copyRate.now,
  });
  const rooms = { apps, attachments, deployments, addons, freezes, databases, traffic, probes };
  const http = buildHttp({ performs: performs(rooms), deployments, sources, token, logger });
  const address = () => `${host}:${listeningPort(http.server)}`;

  await probes.recover();
  await shelf.open();
  // First of all, requests can wait.
  for (const record of shelf.all()) appHost.route(record);
  await forwards.open();
  await edge.start();
  copyRate.begin();
  await databases.recover();
  await deployments.recover();
  await addons.recover();
  await apps.recover();
  await http.listen({ host, port });
  return {
    address: address(),
    edge: edge.address,
    edgeHttps: edge.secureAddress,
    async close({ stop }) {
      await http.close();
      await freezes.leave();
      await deployments.close();
      apps.leave();
      if (stop) await apps.rest();
      await runtime.leave();
      copyRate.end();
      await databases.close({ stop });
      forwards.close();
      await edge.close();
    },
  };
}
