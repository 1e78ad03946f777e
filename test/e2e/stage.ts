import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { request } from 'undici';
import { expect, inject } from 'vitest';
import { z } from 'zod';
import type { MigrationJson } from '../../src/api/region-migrations/presenter.js';
import { ApiClient } from '../../src/client/api-client.js';
import { followMigration } from '../../src/client/follow.js';
import { packFolder } from '../../src/client/pack-folder.js';
import { Traffic } from '../../src/dev/demo/traffic.js';
import { type Readiness, readiness } from '../../src/dev/dev.js';
import type { PhaseName, Upgrade } from '../../src/migration/migration.js';
import { messageOf } from '../../src/shared/errors.js';
import { freePort } from '../../src/shared/free-port.js';
import { readJsonFile } from '../../src/shared/json-file.js';
import {
  identify,
  type ProcessIdentity,
  processIdentity,
  signalProcess,
  waitForExit,
  withVariable,
} from '../../src/shared/processes.js';
import { until } from '../../src/shared/until.js';
import { createDatabase, type Database } from '../database.js';
import { program } from './program.js';

export { program };
export const birdLog = join(import.meta.dirname, '../../examples/bird-log');
const devState = z.looseObject({ processes: z.record(z.string(), processIdentity) });

/** A whole Godwit, as `godwit dev` runs it, in a folder of its own. */
export class Stage {
  ready: Readiness = { api: '', token: '', regions: [] };
  #child: ChildProcess | null = null;
  #said = '';

  private constructor(
    readonly dir: string,
    readonly port: number,
    readonly database: Database | null,
  ) {}

  /** @param how.alone whether the control plane has a PostgreSQL of its own, rather than that of all tests */
  static async start({ alone = false } = {}): Promise<Stage> {
    const dir = await mkdtemp(join(tmpdir(), 'godwit-stage-'));
    await chmod(dir, 0o755);
    const stage = new Stage(dir, await freePort(), alone ? null : await createDatabase());
    await stage.open();
    return stage;
  }

  async open(): Promise<void> {
    const readyFile = join(this.dir, 'ready.json');
    await rm(readyFile, { force: true });
    const args = ['dev', '--dir', this.dir, '--port', `${this.port}`, '--ready-file', readyFile];
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'], // ends when this process does
      env: {
        ...process.env,
        GODWIT_LOG_LEVEL: 'warn',
        ...(this.database && { DATABASE_URL: this.database.url }),
      },
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#said += text;
    });
    this.#child = child;
    const isReady = async () => {
      if (child.exitCode !== null) throw new Error(`godwit dev ended: ${this.#said}`);
      return readJsonFile(readyFile, readiness);
    };
    const what = 'godwit dev to be ready';
    this.ready = await until(isReady, { timeout: 60_000, what }).catch(async (error: unknown) => {
      const logs = await this.#logs();
      const told = [this.#said, ...logs.map((text) => text.slice(-4_000))].join('\n');
      throw new Error(`${messageOf(error)}; it said:\n${told}`);
    });
  }

  /** Ends it in order, tells of what went wrong within it, and removes its folder. */
  async remove(): Promise<void> {
    await this.close();
    for (const line of await this.#errors()) process.stderr.write(`${line.slice(0, 2_000)}\n`);
    await this.database?.drop();
    await rm(this.dir, { recursive: true, force: true });
  }

  /** What its processes logged as errors. */
  async #errors(): Promise<string[]> {
    const lines = (await this.#logs()).flatMap((text) => text.split('\n'));
    return lines.filter((line) => line.includes('"level":50'));
  }

  async #logs(): Promise<string[]> {
    const logs = join(this.dir, 'logs');
    return Promise.all((await readdir(logs)).map((file) => readFile(join(logs, file), 'utf8')));
  }

  async close(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async killDev(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** Kills the process of `server` or of a region's agent; `godwit dev` starts another. */
  async kill(name: string): Promise<void> {
    const victim = (await this.processes())[name];
    if (!victim) throw new Error(`there is no process ${name}`);
    signalProcess(victim, 'SIGKILL');
    await waitForExit(victim, 10_000);
  }

  async processes(): Promise<Record<string, ProcessIdentity>> {
    return (await readJsonFile(join(this.dir, 'dev.json'), devState))?.processes ?? {};
  }

  /** Everything of this stage that runs: its own processes, those of apps, and databases. */
  async everythingThatRuns(): Promise<string[]> {
    const folders = await readdir('/proc');
    const found: string[] = [];
    for (const pid of folders.filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      const inside = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
      const cwd = await linkOf(`/proc/${pid}/cwd`);
      const data = await linkOf(`/proc/${pid}/fd/3`);
      const mine = [command, inside, cwd, data].some((text) => text.includes(this.dir));
      if (mine && identify(Number(pid))) found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
    }
    return found;
  }

  region(index: number): Readiness['regions'][number] {
    const region = this.ready.regions[index];
    if (!region) throw new Error(`there is no region ${index}`);
    return region;
  }

  get source() {
    return this.region(0);
  }

  get destination() {
    return this.region(1);
  }

  client(region: string | null = null): ApiClient {
    return new ApiClient({ url: this.ready.api, token: this.ready.token, region });
  }

  /** An app of the given name in the first region: the example, with a database. */
  deployBirdLog(name: string, how: BirdLog = {}): Promise<TestApp> {
    return deployBirdLog(this, name, how);
  }
}

/** What tests run apps on. */
export interface Ground {
  readonly dir: string;
  readonly source: Readiness['regions'][number];
  readonly destination: Readiness['regions'][number];
  client(region: string): ApiClient;
}

interface BirdLog {
  readonly rows?: number;
  readonly version?: string;
  /** Products of which it has an addon beside PostgreSQL. */
  readonly addons?: readonly string[];
  readonly files?: Record<string, string>;
  readonly prewarm?: boolean;
}

export async function deployBirdLog(
  ground: Ground,
  name: string,
  { rows = 2_000, version, addons = [], files = {}, prewarm = false }: BirdLog = {},
): Promise<TestApp> {
  const client = ground.client(ground.source.name);
  const { id } = await client.createApp(name);
  await client.addAddon(name, { product: 'postgresql', plan: 'postgresql-sandbox', version });
  for (const product of addons) {
    await client.addAddon(name, { product, plan: `${product}-sandbox`, version: undefined });
  }
  await client.setVariables(name, { SEED_ROWS: `${rows}` });
  if (prewarm) await client.patch(`/apps/${name}`, { app: { prewarm } }, z.unknown());
  const app = new TestApp(ground, name, id);
  await app.deploy(files);
  await client.scale(name, { web: 2, worker: 1 });
  await until(async () => (await app.stats().catch(() => null))?.rows === rows, {
    timeout: 60_000,
    every: 150,
    what: `${name} to have its rows`,
  });
  return app;
}

export class TestApp {
  constructor(
    readonly stage: Ground,
    readonly name: string,
    readonly id: string,
  ) {}

  get client(): ApiClient {
    return this.stage.client(this.stage.source.name);
  }

  /** Deploys the example with some files changed. */
  async deploy(files: Record<string, string>, client = this.client): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'godwit-source-'));
    try {
      await cp(join(inject('examples'), 'bird-log'), folder, { recursive: true });
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text);
      const id = await client.deploy(this.name, packFolder(folder));
      const { status, output } = await until(
        async () => {
          const deployment = await client.deployment(this.name, id);
          return deployment.status !== 'building' && deployment;
        },
        { timeout: 60_000, every: 150, what: 'the deployment' },
      );
      if (status !== 'success') throw new Error(output);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async ask(path: string, { at = this.stage.source, method = 'GET', body = '' } = {}) {
    const answer = await request(`${at.edge}${path}`, {
      method: method === 'POST' ? 'POST' : 'GET',
      headers: { host: `${this.name}.${at.name}.localhost`, 'content-type': 'application/json' },
      body: body || null,
    });
    return { status: answer.statusCode, text: await answer.body.text() };
  }

  /**
   * Clients of it that come to a region's edge, not begun yet. Slower than those of the demo: here
   * most of the time goes by with other things, which they would only slow down.
   */
  traffic({ at = this.stage.source, group = 'test' } = {}): Traffic {
    return new Traffic(at.edge, `${this.name}.${at.name}.localhost`, { group, pause: 120 });
  }

  async stats(at = this.stage.source): Promise<{ rows: number }> {
    const { status, text } = await this.ask('/api/stats', { at });
    if (status !== 200) throw new Error(`${status} ${text}`);
    return z.object({ rows: z.number() }).parse(JSON.parse(text));
  }

  databaseUrl(region?: string): Promise<string> {
    return this.variable('DATABASE_URL', region);
  }

  async variable(wanted: string, region = this.stage.source.name): Promise<string> {
    const variables = await this.stage.client(region).variables(this.name);
    return variables.find(({ name }) => name === wanted)?.value ?? '';
  }

  async query<Row extends pg.QueryResultRow>(sql: string, region?: string): Promise<Row[]> {
    const client = new pg.Client(await this.databaseUrl(region));
    await client.connect();
    try {
      return (await client.query<Row>(sql)).rows;
    } finally {
      await client.end();
    }
  }

  async createMigration(newName = '', upgrade: Upgrade = {}): Promise<string> {
    const { destination } = this.stage;
    const { id } = await this.client.createMigration(this.name, destination.name, newName, {
      upgrade,
    });
    return id;
  }

  /** Waits until nothing of the migration is under way. */
  settled(id: string): Promise<MigrationJson> {
    return followMigration(this.client, this.name, id, () => undefined);
  }

  async run(id: string, phase: PhaseName): Promise<MigrationJson> {
    await this.client.runMigration(this.name, id, phase);
    return this.settled(id);
  }

  /** Runs the phases up to and with `last`; every one must succeed. */
  async runTo(id: string, last: PhaseName): Promise<MigrationJson> {
    let migration = await this.settled(id);
    for (const phase of ['prepare', 'data', 'finalize'] as const) {
      if (last === 'preflight') break;
      migration = await this.run(id, phase);
      expect(migration, describeSteps(migration)).toMatchObject({ failed_phase: null });
      if (phase === last) break;
    }
    return migration;
  }
}

/** What went on, for the message of a failing test. */
export function describeSteps({ status, steps }: MigrationJson): string {
  return [
    status,
    ...steps.map((step) => `${step.phase} ${step.name}: ${step.status} ${step.logs}`),
  ].join('\n');
}

/** All that a region holds: apps, databases, and processes of apps. */
export async function inventory(stage: Pick<Ground, 'dir'>, region: string) {
  const list = (name: string) => inRegion(stage, region, name);
  return {
    apps: await list('apps'),
    databases: await list('databases'),
    processes: (await processesOfApps(stage, region))
      .map(({ app, name }) => `${app} ${name}`)
      .sort(),
  };
}

/** What runs of the apps of a region, and of these alone: other tests' run beside them. */
export async function processesOfApps(stage: Pick<Ground, 'dir'>, region: string) {
  const apps = await inRegion(stage, region, 'apps');
  return withVariable('GODWIT_PROCESS')
    .map(({ process, value }) => {
      const [app = '', name = ''] = value.split('/');
      return { process, app, name };
    })
    .filter(({ app }) => apps.includes(app));
}

function inRegion({ dir }: Pick<Ground, 'dir'>, region: string, what: string): Promise<string[]> {
  return readdir(join(dir, 'regions', region, what)).catch((): string[] => []);
}

async function linkOf(path: string): Promise<string> {
  return readlink(path).catch(() => '');
}
