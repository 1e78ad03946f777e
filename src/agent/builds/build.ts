import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chown, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { create } from 'tar';
import { z } from 'zod';
import type { Build } from '../../region/model.js';
import type { Account } from '../../shared/account.js';
import { Refusal } from '../../shared/errors.js';
import { exists } from '../../shared/exists.js';
import { marker, searchPath } from '../runtime/host-processes/supervised.js';
import { type Archive, unpackArchive } from './archive.js';
import { parseProcfile } from './procfile.js';

/** How long npm may take, in milliseconds. */
const installTime = 15 * 60_000;

/** Where things go, and who owns them. */
export interface BuildPlace {
  /** Holds a folder and an archive per build. */
  readonly folder: string;
  /** What builds of the app keep between them; no other app's may write to it. */
  readonly cache: string;
  readonly owner: Account | null;
}

/** What a build is made of. */
export interface Source {
  readonly file: string;
  readonly archive: Archive;
}

/** A build's archive, which travels from region to region. */
export function artefact(folder: string, build: string): string {
  return join(folder, `${build}.tar.gz`);
}

/** The id of the build whose archive has that name; none when it is nothing of the kind. */
export function buildNamed(name: string): string[] {
  return name.endsWith('.tar.gz') ? [name.slice(0, -'.tar.gz'.length)] : [];
}

/** Removes a build, or what there is of it. */
export async function forgetBuild(folder: string, build: string): Promise<void> {
  await rm(join(folder, build), { recursive: true, force: true });
  await rm(artefact(folder, build), { force: true });
}

/**
 * Makes a build of a source: unpacks it, installs its packages, and packs the result.
 * @param parts.print called with what is printed
 * @throws when a command fails; nothing is left then
 */
export async function makeBuild(
  source: Source,
  place: BuildPlace,
  parts: { app: string; id: string; print: (text: string) => void },
): Promise<Build> {
  const { app, id, print } = parts;
  const built = await unpackInto(place, id, source.file, source.archive.strip);
  try {
    await installPackages(built, place, { mark: `${app}/build/${id}`, print });
    print('Packing the build.\n');
    const packed = artefact(place.folder, id);
    await create({ gzip: { level: 4 }, file: packed, cwd: built, portable: true }, ['.']);
    await rename(built, join(place.folder, id));
    return {
      id,
      digest: await digestOf(packed),
      size: (await stat(packed)).size,
      createdAt: new Date().toISOString(),
      processTypes: parseProcfile(source.archive.procfile),
    };
  } catch (error) {
    await forgetBuild(place.folder, id);
    throw error;
  } finally {
    await rm(built, { recursive: true, force: true });
  }
}

/** Takes over a build that came from another region as `file`. @throws when it is not the one that was announced */
export async function adoptBuild(file: string, place: BuildPlace, build: Build): Promise<void> {
  if ((await digestOf(file)) !== build.digest) {
    throw new Refusal('unavailable', 'The build did not arrive as it was sent. Try again.');
  }
  const built = await unpackInto(place, build.id, file, 0);
  await rename(file, artefact(place.folder, build.id));
  await rm(join(place.folder, build.id), { recursive: true, force: true });
  await rename(built, join(place.folder, build.id));
}

/** @throws Refusal `conflict` when the artefact of a build is not there, or not what it was */
export async function requireWhole(file: string, build: Build): Promise<void> {
  if (!(await exists(file))) {
    throw Refusal.conflict('no_build', `The archive of build ${build.id} is gone. Deploy again.`);
  }
  if ((await digestOf(file)) !== build.digest) {
    throw Refusal.conflict(
      'no_build',
      `The archive of build ${build.id} is damaged. Deploy again.`,
    );
  }
}

async function unpackInto(place: BuildPlace, id: string, file: string, strip: number) {
  const built = join(place.folder, `${id}.new`);
  await rm(built, { recursive: true, force: true });
  await mkdir(built, { recursive: true, mode: 0o755 });
  if (place.owner) await chown(built, place.owner.uid, place.owner.gid);
  await unpackArchive(file, built, { strip, owner: place.owner });
  return built;
}

const manifest = z.object({ scripts: z.record(z.string(), z.string()).optional() });

/** With a package.json and no node_modules, npm is what builds. */
async function installPackages(
  built: string,
  place: BuildPlace,
  parts: { mark: string; print: (text: string) => void },
): Promise<void> {
  const text = await readFile(join(built, 'package.json'), 'utf8').catch(() => null);
  if (text === null || (await exists(join(built, 'node_modules')))) return;
  const found = manifest.safeParse(parseJson(text));
  if (!found.success) throw new Error('package.json is not the JSON that npm expects.');
  const builds = found.data.scripts?.['build'] !== undefined;
  const command = (await exists(join(built, 'package-lock.json'))) ? 'ci' : 'install';
  const omit = builds ? [] : ['--omit=dev'];
  const npm = (...args: string[]) => runNpm(args, built, place, parts);
  await npm(command, ...omit, '--no-audit', '--no-fund');
  if (builds) {
    await npm('run', 'build');
    await npm('prune', '--omit=dev', '--no-audit', '--no-fund');
  }
}

async function runNpm(
  args: readonly string[],
  built: string,
  { cache, owner }: BuildPlace,
  { mark, print }: { mark: string; print: (text: string) => void },
): Promise<void> {
  const npmCache = join(cache, `npm-${owner?.uid ?? 'own'}`);
  await mkdir(npmCache, { recursive: true, mode: 0o711 });
  if (owner) await chown(npmCache, owner.uid, owner.gid);
  print(`$ npm ${args.join(' ')}\n`);
  const child = spawn('npm', args, {
    cwd: built,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: searchPath(built),
      HOME: npmCache,
      LANG: 'C.UTF-8',
      NODE_ENV: 'production',
      npm_config_cache: npmCache,
      npm_config_update_notifier: 'false',
      ...proxies(),
      [marker]: mark,
    },
    ...owner,
  });
  child.stdout.setEncoding('utf8').on('data', print);
  child.stderr.setEncoding('utf8').on('data', print);
  const timer = setTimeout(() => child.pid && process.kill(-child.pid, 'SIGKILL'), installTime);
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`npm ${args[0]} ended with ${signal ?? `code ${code}`}.`));
      });
    });
  } finally {
    clearTimeout(timer);
  }
}

/** How the host reaches the outside, where it says so. */
function proxies(): Record<string, string> {
  const names = /^(https?_proxy|no_proxy|node_extra_ca_certs|npm_config_registry)$/i;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      names.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  );
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the schema refuses it
  }
}
