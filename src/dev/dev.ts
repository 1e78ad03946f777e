import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { request } from 'undici';
import { z } from 'zod';
import { regionsFile } from '../region/registry.js';
import { lockFolder } from '../shared/folder-lock.js';
import { freePort, isFree } from '../shared/free-port.js';
import { newSecret } from '../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../shared/json-file.js';
import { isAlive, processIdentity } from '../shared/processes.js';
import { until } from '../shared/until.js';
import { Child, endProcess } from './children.js';

export interface DevOptions {
  readonly dir: string;
  /** Port of the API; null for the one that it had, or 4000. */
  readonly port: number | null;
  /** Names of the regions; null for those that there were, or two. */
  readonly regions: readonly string[] | null;
  /** Written when everything is there. */
  readonly readyFile: string | null;
  readonly say: (line: string) => void;
}

/** What the ready file holds. */
export const readiness = z.object({
  api: z.string(),
  token: z.string(),
  regions: z.array(
    z.object({
      name: z.string(),
      api: z.string(),
      edge: z.string(),
      edge_https: z.string(),
    }),
  ),
});
export type Readiness = z.infer<typeof readiness>;

/** `dev.json`: what stays the same from one start to the next, and who was started. */
const state = z.object({
  port: z.number().int(),
  token: z.string(),
  regions: z.array(
    z.object({
      name: z.string(),
      port: z.number().int(),
      edgePort: z.number().int(),
      /** Not there in what an earlier version planned. */
      edgeHttpsPort: z.number().int().optional(),
      token: z.string(),
    }),
  ),
  processes: z.record(z.string(), processIdentity),
});
type Known = z.infer<typeof state>;
type State = Omit<Known, 'regions'> & {
  readonly regions: readonly (Known['regions'][number] & { readonly edgeHttpsPort: number })[];
};

/** How long everything may take to be there, in milliseconds. */
const patience = 120_000;

/**
 * Runs a control plane and regions as processes of this host, and starts again what dies. On the
 * same folder, everything is there again; what an earlier start left running is ended first.
 */
export async function startDev(options: DevOptions): Promise<{ stop(): Promise<void> }> {
  const dir = resolve(options.dir);
  const { readyFile, say } = options;
  await mkdir(join(dir, 'logs'), { recursive: true });
  await chmod(dir, 0o755); // accounts with fewer rights run what is in there
  await lockFolder(dir, 'dev');
  const file = join(dir, 'dev.json');
  if (readyFile) await rm(readyFile, { force: true });
  const known = await readJsonFile(file, state);
  for (const left of Object.values(known?.processes ?? {})) {
    if (isAlive(left)) say(`ending process ${left.pid}, which an earlier start left`);
    await endProcess(left);
  }
  let now: State = { ...(await plan(known, options)), processes: {} };
  await requireFree(now);
  const remember = async (changes: Partial<State>) => {
    now = { ...now, ...changes };
    await writeJsonFile(file, now);
  };
  await remember({});
  await writeSecrets(dir, now);

  const children = commands(dir, now).map(
    ({ name, args }) =>
      new Child({
        args,
        logFile: join(dir, 'logs', `${name}.log`),
        started: (identity) => remember({ processes: { ...now.processes, [name]: identity } }),
      }),
  );
  for (const child of children) child.start();
  const stop = async () => {
    await Promise.all(children.map((child) => child.stop()));
    await remember({ processes: {} });
    if (readyFile) await rm(readyFile, { force: true });
  };
  try {
    await Promise.all(
      [now.port, ...now.regions.map(({ port }) => port)].map((port) => answers(port, dir)),
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const ready = readinessOf(now);
  if (readyFile) await writeJsonFile(readyFile, ready);
  for (const line of welcome(ready)) say(line);
  return { stop };
}

async function plan(
  known: Known | null,
  { port, regions }: DevOptions,
): Promise<Omit<State, 'processes'>> {
  const names = regions ?? known?.regions.map(({ name }) => name) ?? ['osc-fr1', 'osc-secnum-fr1'];
  const planned = await Promise.all(
    names.map(async (name) => {
      const before = known?.regions.find((region) => region.name === name);
      return {
        name,
        port: before?.port ?? (await freePort()),
        edgePort: before?.edgePort ?? (await freePort()),
        edgeHttpsPort: before?.edgeHttpsPort ?? (await freePort()),
        token: before?.token ?? newSecret(),
      };
    }),
  );
  return {
    port: port ?? known?.port ?? 4000,
    token: known?.token ?? newSecret(),
    regions: planned,
  };
}

/** @throws when somebody else listens where one of them has to */
async function requireFree({ port, regions }: State): Promise<void> {
  if (!(await isFree(port))) throw new Error(`Port ${port} is in use. Choose another one: --port.`);
  for (const region of regions) {
    for (const known of [region.port, region.edgePort, region.edgeHttpsPort]) {
      if (await isFree(known)) continue;
      throw new Error(
        `Port ${known}, by which ${region.name} is known, is in use. End what listens there.`,
      );
    }
  }
}

const local = (port: number) => `http://127.0.0.1:${port}`;

async function writeSecrets(dir: string, { token, regions }: State): Promise<void> {
  const secret = { mode: 0o600 };
  await writeFile(join(dir, 'token'), `${token}\n`, secret);
  for (const region of regions) {
    await writeFile(join(dir, `${region.name}.token`), `${region.token}\n`, secret);
  }
  const entries = regions.map(({ name, port, token }) => ({ name, url: local(port), token }));
  await writeJsonFile(join(dir, 'regions.json'), regionsFile.parse(entries));
}

function commands(dir: string, { port, regions }: State) {
  const server = [
    ...['server', '--port', `${port}`, '--dir', join(dir, 'server')],
    ...['--regions-file', join(dir, 'regions.json'), '--token-file', join(dir, 'token')],
    ...['--requests-per-minute', '100000'], // whoever tries things out is not held up
  ];
  return [
    { name: 'server', args: server },
    ...regions.map((region) => ({
      name: region.name,
      args: [
        ...['region', '--name', region.name, '--dir', join(dir, 'regions', region.name)],
        ...['--port', `${region.port}`, '--edge-port', `${region.edgePort}`],
        ...['--edge-https-port', `${region.edgeHttpsPort}`],
        ...['--token-file', join(dir, `${region.name}.token`)],
      ],
    })),
  ];
}

async function answers(port: number, dir: string): Promise<void> {
  await until(
    async () => {
      const answer = await request(`${local(port)}/healthz`).catch(() => null);
      await answer?.body.dump();
      return answer?.statusCode === 200;
    },
    { timeout: patience, every: 50, what: `port ${port} to answer; the logs are in ${dir}/logs` },
  );
}

function readinessOf({ port, token, regions }: State): Readiness {
  const api = local(port);
  return {
    api,
    token,
    regions: regions.map(({ name, edgePort, edgeHttpsPort }) => ({
      name,
      api: `${api}/regions/${name}`,
      edge: local(edgePort),
      edge_https: `https://127.0.0.1:${edgeHttpsPort}`,
    })),
  };
}

function welcome({ api, token, regions }: Readiness): string[] {
  const names = regions.map(({ name, edge }) => `  ${name}: apps answer at ${edge}`);
  return [
    `Godwit runs at ${api}, with the regions`,
    ...names,
    'In another terminal:',
    `  export GODWIT_URL=${api} GODWIT_TOKEN=${token}`,
    '  godwit create my-app && godwit deploy ./my-app --app my-app',
    `  godwit migrate --to ${regions.at(-1)?.name} --app my-app`,
  ];
}
