import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationJson } from '../../src/api/region-migrations/presenter.js';
import { followMigration } from '../../src/client/follow.js';
import { Clients } from '../../src/dev/verify/clients.js';
import type { Failure } from '../../src/dev/verify/memory.js';
import type { PhaseName } from '../../src/migration/migration.js';
import { messageOf } from '../../src/shared/errors.js';
import { judgeDatabases } from '../chaos/judge.js';
import { leftovers } from '../chaos/leftovers.js';
import { app, type World } from '../chaos/world.js';
import type { Network, Standing } from './network.js';

/** When the line is cut: as soon as a step of a phase is under way, or has copied a part of all that it has to. */
export interface Cut {
  readonly phase: PhaseName;
  /** What its name begins with. */
  readonly step: string;
  /** From 0 to 1. */
  readonly copied?: number;
  /** Requests wait until it is mended, since whoever serves them, or may be the primary already, is beyond it. */
  readonly strands?: boolean;
}

/** One migration there and back. */
export interface Trial {
  readonly standing: Standing;
  readonly cut: Cut | null;
}

export interface TrialReport {
  /** Promises that were broken. */
  readonly findings: readonly string[];
  /** Bytes, and how long they took, in milliseconds. */
  readonly copy: { readonly bytes: number; readonly took: number };
}

/** The longest that a client may wait: the budget of a switch, and taking it back, in milliseconds. */
const longestHold = 30_000 + 15_000;
/** Clients may notice so much later that a cut is over, in milliseconds. */
const slack = 3_000;

/** Migrates the app and brings it back, with clients under way, and the line cut at some point. */
export class TrialRun {
  readonly #world: World;
  readonly #network: Network;
  readonly #trial: Trial;
  readonly #cutTime: number;
  readonly #say: (line: string) => void;
  readonly #findings: string[] = [];
  /** Bytes, by database. */
  readonly #copied = new Map<string, number>();
  readonly #copy = { begun: 0, ended: 0, bytes: 0 };
  #cut: { readonly from: number; to: number; readonly mended: Promise<void> } | null = null;

  /**
   * @param how.cutTime in milliseconds
   * @param how.say given what is seen, in lines for people
   */
  constructor(
    world: World,
    network: Network,
    trial: Trial,
    { cutTime, say }: { cutTime: number; say: (line: string) => void },
  ) {
    this.#say = say;
    this.#world = world;
    this.#network = network;
    this.#trial = trial;
    this.#cutTime = cutTime;
  }

  async perform(group: string): Promise<TrialReport> {
    const world = this.#world;
    await this.#network.stand(this.#trial.standing);
    // What it had connected to by the other way would go on being answered by that.
    await world.pieces.crash('server');
    const clients = new Clients(world.door('here'), { group, count: 8, pause: 100 });
    clients.start();
    await this.#journey().catch((error) => this.#findings.push(messageOf(error)));
    await this.#cut?.mended;
    if (this.#trial.cut && !this.#cut) this.#findings.push('The line was never cut.');
    const { attempted, failures, kinds } = await clients.stop();
    const longestWait = Math.max(...kinds.map((kind) => kind.longestWait));
    this.#say(`${attempted.length} entries, the longest wait ${longestWait} ms`);
    const most = longestHold + (this.#trial.cut?.strands ? this.#cutTime : 0);
    if (longestWait > most) this.#findings.push(`a client waited for ${longestWait} ms`);
    this.#tellFailures(failures);
    this.#findings.push(...(await leftovers(world)));
    const isWanted = ({ client }: { client: string }) =>
      client.startsWith(`${group}-`) || client.startsWith('worker-');
    const known = { attempted, witnessed: world.witness.heard };
    const judged = await judgeDatabases(world, known, { since: 0, isWanted });
    this.#findings.push(...judged.lost, ...judged.doubled, ...judged.others);
    const { begun, ended, bytes } = this.#copy;
    return { findings: this.#findings, copy: { bytes, took: ended - begun } };
  }

  async #journey(): Promise<void> {
    const client = this.#world.client('here');
    const { id } = await client.createMigration(app, 'there');
    await followMigration(client, app, id, () => undefined);
    for (const phase of ['prepare', 'data', 'finalize', 'rollback'] as const) {
      let migration = await this.#phase(id, phase);
      if (migration.failed_phase === null) continue;
      const isBackedOut = this.#cut !== null && (phase === 'finalize' || phase === 'rollback');
      if (!isBackedOut) this.#findings.push(`${phase} failed: ${reasonOf(migration)}`);
      await this.#cut?.mended;
      migration = await this.#phase(id, phase);
      if (migration.failed_phase !== null) {
        throw new Error(`${phase} failed again: ${reasonOf(migration)}`);
      }
    }
  }

  async #phase(id: string, phase: PhaseName): Promise<MigrationJson> {
    const begun = Date.now();
    const client = this.#world.client('here');
    await client.runMigration(app, id, phase);
    const watched = new AbortController();
    const watching = this.#watch(id, phase, watched.signal);
    watching.catch(() => undefined); // told below
    const migration = await followMigration(client, app, id, () => undefined);
    watched.abort();
    await watching;
    const outcome =
      migration.failed_phase === null ? migration.status : `error: ${reasonOf(migration)}`;
    this.#say(`${phase} ${((Date.now() - begun) / 1_000).toFixed(1)} s: ${outcome}`);
    return migration;
  }

  /** Looks often, to cut the line where it is wanted and to see how fast a copy goes. */
  async #watch(id: string, phase: PhaseName, over: AbortSignal): Promise<void> {
    const client = this.#world.client('here');
    const { cut } = this.#trial;
    while (!over.aborted) {
      const { steps } = await client.migration(app, id);
      const step = steps.find((one) => one.phase === phase && one.status === 'running');
      const { done = 0, total = 0 } = step?.progress ?? {};
      if (phase === 'data' && step?.name.startsWith('Copy')) this.#seeCopy(step.progress);
      const isThere = cut?.phase === phase && step?.name.startsWith(cut.step);
      if (isThere && !this.#cut && done >= (cut.copied ?? 0) * Math.max(total, 1)) {
        await this.#cutLine(step?.name ?? '');
      }
      await sleep(20);
    }
  }

  #seeCopy(progress: MigrationJson['steps'][number]['progress']): void {
    const copy = this.#copy;
    const { done = 0, databases = [] } = progress ?? {};
    if (copy.bytes === 0) copy.begun = Date.now();
    if (done !== copy.bytes) copy.ended = Date.now();
    copy.bytes = done;
    for (const { name, done } of databases) {
      const before = this.#copied.get(name) ?? 0;
      // A little less than was on the way is what it comes to once it is whole.
      if (done < before / 2) this.#findings.push(`${name} was copied anew, after ${before} bytes`);
      this.#copied.set(name, done);
    }
  }

  async #cutLine(step: string): Promise<void> {
    await this.#network.cut();
    const cut = { from: Date.now(), to: Number.POSITIVE_INFINITY };
    const mended = sleep(this.#cutTime).then(async () => {
      await this.#network.mend();
      if (this.#cut) this.#cut.to = Date.now();
    });
    this.#cut = { ...cut, mended };
    this.#say(`cut for ${this.#cutTime / 1_000} s in "${step}"`);
  }

  /** What the edges forward while the line is cut may be answered with 502, or end in the middle of its answer; nothing else may fail. */
  #tellFailures(failures: readonly Failure[]): void {
    const { from, to } = this.#cut ?? { from: 0, to: 0 };
    const isExcused = ({ at, what }: Failure) =>
      at > from && at < to + slack && / 502 |: \d+, then |^WebSocket: closed/.test(what);
    const excused = failures.filter(isExcused);
    if (excused.length > 0) this.#say(`${excused.length} failed in the cut line`);
    const others = failures.filter((one) => !isExcused(one));
    for (const { at, client, how, what } of others.slice(0, 10)) {
      this.#findings.push(`failed: ${new Date(at).toISOString()} ${client}: ${how}: ${what}`);
    }
    if (others.length > 10) this.#findings.push(`and ${others.length - 10} others failed`);
  }
}

function reasonOf({ steps }: MigrationJson): string {
  const failed = steps.filter(({ status }) => status === 'error');
  return failed.map(({ name, logs }) => `${name}: ${logs?.replaceAll('\n', ' | ')}`).join('; ');
}
