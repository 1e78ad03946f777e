import { createHash, timingSafeEqual } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { request } from 'undici';
import { type Build, type Deployment, deployment } from '../../region/model.js';
import type { InputOf, Verbs as RegionVerbs } from '../../region/region.js';
import { messageOf, Refusal } from '../../shared/errors.js';
import { newId, newSecret } from '../../shared/ids.js';
import { jsonFilesIn, readJsonFile, writeJsonFile } from '../../shared/json-file.js';
import type { Logger } from '../../shared/logging.js';
import { signalProcess, withVariable } from '../../shared/processes.js';
import { inspectArchive } from '../builds/archive.js';
import {
  adoptBuild,
  artefact,
  type BuildPlace,
  buildNamed,
  forgetBuild,
  makeBuild,
  requireWhole,
  type Source,
} from '../builds/build.js';
import { parseProcfile } from '../builds/procfile.js';
import type { Sources } from '../builds/sources.js';
import { appAccount } from '../runtime/host-processes/account.js';
import { marker } from '../runtime/host-processes/supervised.js';
import type { Runtime } from '../runtime/runtime.js';
import type { Behalf, Performs } from '../verbs.js';
import type { AppHost } from './app-host.js';
import type { AppRecord } from './record.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<
  'deploy' | 'listDeployments' | 'purgeCache' | 'verifyBuild' | 'grantBuild' | 'fetchBuild'
>;

export interface DeploymentsParts {
  readonly shelf: Shelf;
  readonly host: AppHost;
  readonly runtime: Runtime;
  readonly sources: Sources;
  /** A folder for what builds keep, a folder each app. */
  readonly cache: string;
  /** Where other regions reach this one. */
  readonly url: () => string;
  readonly logger: Logger;
}

interface Underway {
  readonly deployment: string;
  readonly ended: Promise<void>;
  readonly end: () => void;
  output: string;
}

/** How long a grant for a build holds, in milliseconds. */
const grantTime = 3_600_000;
/** What a deployment's output may have at most, in characters. */
const longestOutput = 256 * 1024;
/** Builds that are kept beside the one that runs. */
const keptBuilds = 2;

/** By how much the times of files may be behind the clock, in milliseconds (a tick of Linux at 100 Hz). */
const tick = 10;

/** Builds of apps: made from sources, or fetched from another region. */
export class Deployments implements Verbs {
  readonly #parts: DeploymentsParts;
  /** What is being built, by app. */
  readonly #under = new Map<string, Underway>();

  constructor(parts: DeploymentsParts) {
    this.#parts = parts;
  }

  /** Ends and marks as failed what was being built when the agent died. */
  async recover(): Promise<void> {
    const apps = this.#parts.shelf.all().map(({ id }) => id);
    endBuilders((app) => apps.includes(app));
    for (const app of apps) {
      const builds = await readdir(this.#builds(app)).catch(() => []);
      const unfinished = builds.filter((name) => name.endsWith('.new'));
      for (const name of unfinished) await rm(join(this.#builds(app), name), { recursive: true });
      for (const made of await this.listDeployments({ app })) {
        if (made.status !== 'building') continue;
        await this.#forgetUnadopted(app, made);
        const output = `${made.output}The build was interrupted. Deploy again.\n`;
        await this.#write(app, { ...made, status: 'error', finishedAt: now(), output });
      }
    }
  }

  /** What is being built for an app, and what to do about it, for people; null when nothing is. */
  begun(app: string): string | null {
    const underway = this.#under.get(app);
    return underway
      ? `its deployment ${underway.deployment} is being built. Wait for the end of that.`
      : null;
  }

  /** Gives up what is being built for an app. */
  async cancel(app: string): Promise<void> {
    const underway = this.#under.get(app);
    if (!underway) return;
    endBuilders((of) => of === app);
    await underway.ended;
  }

  /** Gives up all that is being built. */
  async close(): Promise<void> {
    await Promise.all([...this.#under.keys()].map((app) => this.cancel(app)));
  }

  /** Newest first. */
  async listDeployments({ app }: { app: string }): Promise<Deployment[]> {
    this.#parts.shelf.get(app);
    const names = await jsonFilesIn(this.#folder(app));
    const found = await Promise.all(
      names.map((name) => readJsonFile(join(this.#folder(app), name), deployment)),
    );
    const underway = this.#under.get(app);
    return found
      .flatMap((one) => one ?? [])
      .map((one) => (one.id === underway?.deployment ? { ...one, output: underway.output } : one))
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  }

  async deploy(input: InputOf<RegionVerbs['deploy']>, by: Behalf): Promise<Deployment> {
    const { app, source, gitRef, pusher } = input;
    const { shelf, sources } = this.#parts;
    const file = await sources.find(source);
    const archive = await inspectArchive(file);
    parseProcfile(archive.procfile);
    const [previous] = await this.listDeployments({ app });
    const begun: Deployment = {
      id: newId(),
      status: 'building',
      createdAt: now(),
      finishedAt: null,
      output: '',
      gitRef,
      previousGitRef: previous?.gitRef,
      pusher,
      stack: shelf.get(app).stack,
    };
    const underway = newUnderway(begun.id);
    try {
      await shelf.change(app, by, async (record) => {
        if (this.#under.has(app)) {
          throw Refusal.conflict('deploying', 'A deployment is under way. Wait for its end.');
        }
        this.#under.set(app, underway);
        await mkdir(this.#folder(app), { recursive: true, mode: 0o700 });
        await this.#write(app, begun);
        const successful = record.lastDeployment?.successful ?? null;
        const by = pusher?.username ?? null;
        return { ...record, lastDeployment: { at: begun.createdAt, by, successful } };
      });
    } catch (error) {
      this.#end(app, underway);
      throw error;
    }
    this.#build(app, begun, { file, archive }, by, underway);
    return begun;
  }

  async purgeCache({ app }: { app: string }, by: Behalf) {
    await this.#parts.shelf.change(app, by, async (record) => {
      if (this.#under.has(app)) {
        throw Refusal.conflict('deploying', 'A deployment uses the cache now. Wait for its end.');
      }
      await this.forgetCache(app);
      return record;
    });
    return null;
  }

  /** Removes what builds of an app keep between them. */
  async forgetCache(app: string): Promise<void> {
    await rm(this.#cache(app), { recursive: true, force: true });
  }

  async verifyBuild({ app }: { app: string }) {
    const { build } = this.#parts.shelf.get(app);
    if (build) await requireWhole(artefact(this.#builds(app), build.id), build);
    return null;
  }

  async grantBuild({ app }: { app: string }, by: Behalf) {
    const token = newSecret();
    await this.#parts.shelf.change(app, by, (record) => {
      if (!record.build) throw Refusal.conflict('no_build', `${record.name} has no build.`);
      const grant = {
        digest: digest(token),
        build: record.build.id,
        until: Date.now() + grantTime,
      };
      const valid = record.buildGrants.filter(({ until }) => until > Date.now());
      return { ...record, buildGrants: [...valid, grant] };
    });
    return { url: `${this.#parts.url()}/v1/builds/${app}`, token };
  }

  /**
   * The archive that a token was granted for, once, from its byte number `start` on.
   * @throws Refusal `unauthorized`
   */
  async openBuild(app: string, token: string, start: number): Promise<NodeJS.ReadableStream> {
    const given = Buffer.from(digest(token));
    const record = this.#parts.shelf.find(app);
    const grant = record?.buildGrants.find(
      (one) => timingSafeEqual(Buffer.from(one.digest), given) && one.until > Date.now(),
    );
    if (!record || !grant) throw new Refusal('unauthorized', 'There is no such build for you.');
    await this.#parts.shelf.change(app, record.frozenBy, (latest) => ({
      ...latest,
      buildGrants: latest.buildGrants.filter((one) => one !== grant),
    }));
    return createReadStream(artefact(this.#builds(app), grant.build), { start });
  }

  async fetchBuild(input: InputOf<RegionVerbs['fetchBuild']>, by: Behalf) {
    const { app, build, deployment, lastDeployment, url, token } = input;
    await this.#parts.shelf.change(app, by, async (record) => {
      if (record.build?.digest === build.digest) return record;
      const place = await this.#place(app);
      const file = `${artefact(place.folder, build.id)}.new`;
      await this.#download({ url, token }, file, build.size);
      await adoptBuild(file, place, build);
      if (deployment) {
        await mkdir(this.#folder(app), { recursive: true, mode: 0o700 });
        await this.#write(app, deployment);
      }
      return { ...record, build, lastDeployment };
    });
    return null;
  }

  /**
   * Fetches the bytes that the file does not have yet.
   * @throws Refusal `unavailable` when the other region cannot be reached, refuses, or breaks off
   */
  async #download(
    { url, token }: { url: string; token: string },
    file: string,
    size: number,
  ): Promise<void> {
    const known = await sizeOf(file);
    const start = known < size ? known : 0; // one that is whole, and was not adopted, is wrong
    try {
      const answer = await request(url, {
        headers: { authorization: `Bearer ${token}`, range: `bytes=${start}-` },
      });
      if (answer.statusCode !== 206) {
        await answer.body.dump();
        throw new Error(`it answered with ${answer.statusCode}`);
      }
      const how = { mode: 0o600, flags: start > 0 ? 'a' : 'w' };
      await pipeline(answer.body, createWriteStream(file, how));
    } catch (error) {
      throw new Refusal(
        'unavailable',
        `The build could not be fetched from the other region: ${messageOf(error)}.`,
      );
    }
  }

  /** Builds in the background; what becomes of it is in the deployment. */
  #build(app: string, begun: Deployment, source: Source, by: Behalf, underway: Underway): void {
    const print = (text: string) => {
      if (underway.output.length < longestOutput) underway.output += text;
    };
    this.#buildAndRun(app, begun, source, by, print)
      .then(
        ({ size }) => ({ status: 'success' as const, size }),
        (error) => {
          print(`${messageOf(error)}\nThe application runs as before.\n`);
          this.#parts.logger.info({ err: error, app }, 'a deployment failed');
          return { status: 'error' as const };
        },
      )
      .then(async (end) => {
        if (!this.#parts.shelf.find(app)) return; // removed meanwhile
        const { output } = underway;
        await this.#note(app, `deployment ${begun.id} ended: ${end.status}`);
        // Last of all: whoever sees that it has ended may deploy again.
        await this.#write(app, { ...begun, ...end, finishedAt: now(), output });
      })
      .catch((error) => this.#parts.logger.error({ err: error, app }, 'a deployment is lost'))
      .finally(() => this.#end(app, underway));
  }

  #end(app: string, underway: Underway): void {
    if (this.#under.get(app) === underway) this.#under.delete(app);
    underway.end();
  }

  async #buildAndRun(
    app: string,
    begun: Deployment,
    source: Source,
    by: Behalf,
    print: (text: string) => void,
  ): Promise<Build> {
    const { shelf, host } = this.#parts;
    const build = await makeBuild(source, await this.#place(app), { app, id: newId(), print });
    try {
      await shelf.change(
        app,
        by,
        (record) => ({ ...record, ...deployed(record, begun, build) }),
        (record) => host.restart(record),
      );
    } catch (error) {
      const isAdopted = shelf.find(app)?.build?.id === build.id;
      if (!isAdopted) await forgetBuild(this.#builds(app), build.id);
      throw error;
    }
    print(`Deployed. Process types: ${Object.keys(build.processTypes).join(', ')}.\n`);
    await this.#forgetOld(app, build.id);
    return build;
  }

  async #note(app: string, line: string): Promise<void> {
    await this.#parts.runtime.note({ app, folder: this.#parts.shelf.folder(app) }, line);
  }

  async #forgetOld(app: string, current: string): Promise<void> {
    const names = (await readdir(this.#builds(app))).filter((name) => !name.includes('.'));
    // Ids do not tell their age; what runs stays, and of the others the last few found.
    const old = names.filter((name) => name !== current).slice(keptBuilds);
    for (const id of old) await forgetBuild(this.#builds(app), id);
  }

  /** Removes what an interrupted deployment has packed, if the app did not come to have it. */
  async #forgetUnadopted(app: string, { createdAt }: Deployment): Promise<void> {
    const { build } = this.#parts.shelf.get(app);
    const ids = (await readdir(this.#builds(app)).catch(() => [])).flatMap(buildNamed);
    for (const id of ids) {
      const packed = await stat(artefact(this.#builds(app), id));
      const isOfIt = packed.mtimeMs + tick >= Date.parse(createdAt) && id !== build?.id;
      if (isOfIt) await forgetBuild(this.#builds(app), id);
    }
  }

  async #place(app: string): Promise<BuildPlace> {
    const folder = this.#builds(app);
    await mkdir(folder, { recursive: true, mode: 0o711 });
    return { folder, cache: this.#cache(app), owner: appAccount(folder) };
  }

  #cache(app: string): string {
    return join(this.#parts.cache, app);
  }

  #builds(app: string): string {
    return join(this.#parts.shelf.folder(app), 'builds');
  }

  #folder(app: string): string {
    return join(this.#parts.shelf.folder(app), 'deployments');
  }

  async #write(app: string, made: Deployment): Promise<void> {
    await writeJsonFile(join(this.#folder(app), `${made.id}.json`), made);
  }
}

const now = () => new Date().toISOString();

function newUnderway(deployment: string): Underway {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { deployment, ended, end, output: '' };
}

/** Ends what builds the apps that are meant. */
function endBuilders(isMeant: (app: string) => boolean): void {
  for (const { process, value } of withVariable(marker)) {
    const [app, what] = value.split('/');
    if (what === 'build' && app && isMeant(app)) signalProcess(process, 'SIGKILL');
  }
}

/** What a deployment changes: the first one starts the app, with one web process. */
function deployed(
  record: AppRecord,
  begun: Deployment,
  build: Build,
): Pick<AppRecord, 'build' | 'formation' | 'started' | 'lastDeployment'> {
  const types = Object.keys(build.processTypes);
  const kept = record.formation.filter(({ name }) => types.includes(name));
  const added = types
    .filter((name) => !kept.some((entry) => entry.name === name))
    .map((name) => ({ name, amount: name === 'web' && record.build === null ? 1 : 0 }));
  const by = begun.pusher?.username ?? null;
  return {
    build,
    formation: [...kept, ...added],
    started: record.started || record.build === null,
    lastDeployment: { at: begun.createdAt, by, successful: begun.id },
  };
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0, // nothing of it has arrived yet
  );
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
