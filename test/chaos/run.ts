import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MigrationJson } from '../../src/api/region-migrations/presenter.js';
import { ApiError, Unreachable } from '../../src/client/api-client.js';
import { followMigration } from '../../src/client/follow.js';
import { Clients, type ClientsReport } from '../../src/dev/verify/clients.js';
import type { Attempted, Witnessed } from '../../src/dev/verify/entry.js';
import type { Failure } from '../../src/dev/verify/memory.js';
import type { PhaseName } from '../../src/migration/migration.js';
import { messageOf } from '../../src/shared/errors.js';
import type { Change } from '../api/tampering.js';
import { excuseFor } from './excuses.js';
import { judgeDatabases, type Verdict } from './judge.js';
import { leftovers } from './leftovers.js';
import { drawPlan, type Fault, nameOf, type Plan, type PlannedPhase } from './plan.js';
import { Random } from './random.js';
import { app, type Harm, type RegionName, type World } from './world.js';
import { overlaps, type Period, writablePeriods } from './writable.js';

export interface RunReport {
  readonly seed: number;
  /** What was done, in a few words. */
  readonly story: string;
  /** Everything that should not be, in lines; empty when all is well. */
  readonly findings: readonly string[];
  readonly sent: number;
  readonly unknown: number;
  /** Failures that are those of connections that a killed process held. */
  readonly excused: number;
  /** How often a phase ended in an error and was asked for again. */
  readonly again: number;
  readonly longestWait: number;
  readonly seconds: number;
  /** Steps of the migrations, and the last lines of the logs; empty when all is well. */
  readonly evidence: readonly string[];
  readonly attempted: readonly Attempted[];
}

/** How long a phase may take to come to an end by itself, in milliseconds. */
const patience = 120_000;

/** Entries are numbered in the order in which they were begun: so many may be committed out of order. */
const writtenAtOnce = 100;

/** Where a run began. */
interface Mark {
  /** Of the last entry then, by the order of receipt. */
  readonly received: number;
  /** How much the witness had heard. */
  readonly heard: number;
  /** The last number of each client. */
  readonly written: ReadonlyMap<string, number>;
}

/** One run: a plan drawn from the seed, with clients under way and faults struck, and what came of it. */
export class ChaosRun {
  readonly #world: World;
  readonly #seed: number;
  readonly #plan: Plan;
  readonly #harms: Harm[] = [];
  readonly #story: string[] = [];
  readonly #findings: string[] = [];
  readonly #migrations: MigrationJson[] = [];
  /** Logs of databases, by id; of those that are gone, as they were last. */
  readonly #databaseLogs = new Map<string, string>();
  readonly #homes: RegionName;
  readonly #begunAt = Date.now();
  /** When a migration was made final: what the source's database is from then on is nobody's any more. */
  #finalSince = Number.POSITIVE_INFINITY;
  #again = 0;

  constructor(world: World, seed: number) {
    this.#world = world;
    this.#seed = seed;
    this.#plan = drawPlan(new Random(seed), world.databases);
    this.#homes = world.home;
  }

  async perform(): Promise<RunReport> {
    const world = this.#world;
    const mark = await this.#mark();
    const group = `run-${this.#seed}`;
    const clients = [new Clients(world.door(world.home), { group, count: 8, pause: 120 })];
    clients[0]?.start();
    const reports: ClientsReport[] = [];
    try {
      for (const phases of this.#plan) await this.#migrate(phases, clients, group, reports);
    } catch (error) {
      this.#findings.push(messageOf(error));
    }
    this.#disarm();
    await world.mended();
    if (world.broken) this.#findings.push(world.broken);
    for (const group of clients) reports.push(await group.stop());
    this.#findings.push(...(await leftovers(world)));
    await this.#judge(reports, mark);
    return this.#report(reports);
  }

  async #migrate(
    phases: readonly PlannedPhase[],
    clients: Clients[],
    group: string,
    reports: ClientsReport[],
  ): Promise<void> {
    const world = this.#world;
    const client = world.client(world.home);
    const { id } = await client.createMigration(app, world.away);
    await this.#follow(id, world.home);
    let stands: MigrationJson | null = null;
    for (const planned of phases) {
      if (planned.phase === 'complete') {
        // Whoever still came to the old address has been told the new one.
        for (const one of clients.splice(0, 1)) reports.push(await one.stop());
      }
      if (planned.phase === 'complete') this.#finalSince = Date.now();
      stands = await this.#phase(id, planned);
      if (stands.status === 'done' && planned.phase === 'finalize') {
        const there = new Clients(world.door(world.away), {
          group: `${group}-away-${this.#migrations.length + 1}`,
          count: 4,
          pause: 80,
        });
        there.start();
        clients.push(there);
      }
      if (stands.status === 'aborted') break;
    }
    if (stands?.status === 'done' && stands.completed_at === null) {
      // An abort that came too late.
      stands = await this.#phase(id, { phase: 'rollback', faults: [], abortAt: null });
    }
    if (stands) this.#migrations.push(stands);
    if (stands?.completed_at) world.home = world.away;
    // Those at the other address are forwarded, or were told the new one.
    if (stands && !stands.completed_at && clients.length > 1) {
      for (const one of clients.splice(1)) reports.push(await one.stop());
    }
  }

  /** Runs a phase with its faults; one that ended in an error is asked for again without any. */
  async #phase(id: string, { phase, faults, abortAt }: PlannedPhase): Promise<MigrationJson> {
    const world = this.#world;
    const words = [
      ...faults.map(nameOf),
      ...(abortAt ? [`abort ${abortAt.when} ${abortAt.verb}`] : []),
    ];
    const begun = Date.now();
    const told = this.#story.push(phase) - 1;
    const tell = () => {
      const took = `${phase} ${((Date.now() - begun) / 1_000).toFixed(1)} s`;
      this.#story[told] = words.length > 0 ? `${took} (${words.join('; ')})` : took;
    };
    const region = phase === 'complete' ? world.away : world.home;
    let aborting: Promise<void> | null = null;
    this.#arm(faults, abortAt, () => {
      aborting ??= this.#ask(id, 'abort', region);
    });
    await this.#ask(id, phase, region);
    let stands = await this.#follow(id, region);
    await aborting;
    if (aborting) stands = await this.#follow(id, region);
    tell();
    this.#disarm();
    await world.mended();
    if (abortAt && stands.status !== 'aborted' && stands.status !== 'done') {
      this.#story.push('abort');
      await this.#ask(id, 'abort', region);
      stands = await this.#follow(id, region);
    }
    for (let tries = 0; stands.failed_phase !== null && tries < 3; tries += 1) {
      this.#again += 1;
      this.#story.push(`${stands.failed_phase} again`);
      await this.#ask(id, stands.failed_phase, region);
      stands = await this.#follow(id, region);
    }
    if (
      stands.failed_phase !== null ||
      (phase === 'finalize' && !['done', 'aborted'].includes(stands.status))
    ) {
      this.#migrations.push(stands);
      throw new Error(`${phase} ended as ${stands.status}, and did so again`);
    }
    return stands;
  }

  #arm(faults: readonly Fault[], abortAt: PlannedPhase['abortAt'], abort: () => void): void {
    const left = new Set(faults);
    let mayAbort = abortAt !== null;
    const at =
      (when: Fault['when']) =>
      async ({ verb }: Change) => {
        if (when === 'before' && ['deleteApp', 'standDown'].includes(verb)) await this.#keepLogs();
        if (mayAbort && abortAt?.when === when && abortAt.verb === verb) {
          mayAbort = false;
          abort();
        }
        for (const fault of [...left].filter((one) => one.when === when && one.verb === verb)) {
          left.delete(fault);
          await this.#world.harm(fault, (harm) => this.#harms.push(harm));
        }
      };
    this.#world.tampering.beforeChange = at('before');
    this.#world.tampering.afterChange = at('after');
  }

  #disarm(): void {
    this.#world.tampering.beforeChange = async ({ verb }) => {
      if (['deleteApp', 'standDown'].includes(verb)) await this.#keepLogs();
    };
    this.#world.tampering.afterChange = async () => undefined;
  }

  /** Asks for a phase until a server has heard of it. */
  async #ask(id: string, phase: PhaseName, region: RegionName): Promise<void> {
    const how = { removeSource: phase === 'complete' };
    const deadline = Date.now() + 30_000;
    for (;;) {
      try {
        return await this.#world.client(region).runMigration(app, id, phase, how);
      } catch (error) {
        // Refused: it was heard of before its server died, or it is too late for an abort.
        if (error instanceof ApiError && error.status === 409) return;
        const passing =
          error instanceof Unreachable || (error instanceof ApiError && error.status >= 500);
        if (!passing || Date.now() > deadline) throw error;
        await sleep(50);
      }
    }
  }

  /** Follows a migration to where nothing of it is under way. @throws when it does not come there by itself */
  async #follow(id: string, region: RegionName): Promise<MigrationJson> {
    let last: MigrationJson | null = null;
    const atRest = followMigration(this.#world.client(region), app, id, (seen) => {
      last = seen;
    });
    const late = new AbortController();
    const tooLong = sleep(patience, null, { signal: late.signal }).catch(() => null);
    const ended = await Promise.race([atRest, tooLong]);
    late.abort();
    if (ended) return ended;
    if (last) this.#migrations.push(last);
    throw new Error(`The migration has not come to rest after ${patience / 1_000} s`);
  }

  async #keepLogs(): Promise<void> {
    for (const region of ['here', 'there'] as const) {
      for (const [id, log] of this.#world.databaseLogs(region)) this.#databaseLogs.set(id, log);
    }
  }

  /** What the database held when this run began. */
  async #mark(): Promise<Mark> {
    const heard = this.#world.witness.heard.length;
    // One look, since the worker writes on.
    const rows = await this.#world.query<{ client: string; last: number; received: number }>(
      'SELECT client, max(number)::int AS last, max(received)::int AS received FROM entries GROUP BY client',
    );
    return {
      received: Math.max(0, ...rows.map(({ received }) => received)),
      heard,
      written: new Map(rows.map(({ client, last }) => [client, last])),
    };
  }

  async #judge(
    reports: readonly ClientsReport[],
    { received, heard, written }: Mark,
  ): Promise<void> {
    const witnessed = this.#world.witness.heard.slice(heard);
    const since = Math.max(0, received - writtenAtOnce);
    const isWanted = ({ client, number }: Witnessed) => number > (written.get(client) ?? 0);
    const attempted = reports.flatMap((one) => one.attempted);
    const found = await judgeDatabases(
      this.#world,
      { attempted, witnessed },
      { since, isWanted },
    ).catch((error): Verdict => {
      const what = `the entries cannot be read: ${messageOf(error)}`;
      return { lost: [], doubled: [], others: [what] };
    });
    this.#findings.push(
      ...found.lost,
      ...found.doubled,
      ...found.others,
      ...(await this.#twoPrimaries()),
      ...this.#unexcused(reports).map(
        ({ at, client, how, what }) =>
          `failed: ${new Date(at).toISOString()} ${client}: ${how}: ${what}`,
      ),
    );
  }

  #unexcused(reports: readonly ClientsReport[]): Failure[] {
    return reports
      .flatMap(({ failures }) => failures)
      .filter((failure) => excuseFor(failure, this.#harms) === null);
  }

  /** Two databases of this run that took writes at the same time, as their own logs tell. */
  async #twoPrimaries(): Promise<string[]> {
    await this.#keepLogs();
    const periods = [...this.#databaseLogs].map(([id, log]): [string, Period[]] => [
      id,
      writablePeriods(log, this.#begunAt),
    ]);
    return periods.flatMap(([one, mine], index) =>
      periods.slice(index + 1).flatMap(([other, others]) =>
        overlaps(mine, others)
          .filter(({ from }) => from < this.#finalSince)
          .map(
            ({ from, to }) =>
              `two primaries: ${one} and ${other} from ${new Date(from).toISOString()} for ${to - from} ms`,
          ),
      ),
    );
  }

  async #report(reports: readonly ClientsReport[]): Promise<RunReport> {
    const attempted = reports.flatMap((one) => one.attempted);
    const failures = reports.flatMap((one) => one.failures);
    return {
      seed: this.#seed,
      story: `${this.#homes} → ${this.#story.join(', ')}`,
      findings: this.#findings,
      sent: attempted.length,
      unknown: attempted.filter(({ unanswered }) => unanswered > 0).length,
      excused: failures.length - this.#unexcused(reports).length,
      again: this.#again,
      longestWait: Math.max(
        0,
        ...reports.flatMap((one) => one.kinds.map((kind) => kind.longestWait)),
      ),
      seconds: (Date.now() - this.#begunAt) / 1_000,
      evidence: this.#findings.length > 0 ? await this.#evidence() : [],
      attempted,
    };
  }

  async #evidence(): Promise<string[]> {
    const steps = this.#migrations.flatMap((migration) => [
      `migration ${migration.id}: ${migration.status}, failed: ${migration.failed_phase}`,
      ...migration.steps
        .filter(({ phase }) => phase !== 'preflight')
        .map(
          ({ phase, name, status, logs }) =>
            `  ${phase} ${name}: ${status}: ${logs?.replaceAll('\n', ' | ')}`,
        ),
    ]);
    const harms = this.#harms.map(
      ({ kind, victim, from, to }) =>
        `${kind} ${victim} at ${new Date(from).toISOString()} for ${to - from} ms`,
    );
    const logs: string[] = [];
    for (const name of ['server', 'here', 'there'] as const) {
      const text = await readFile(this.#world.pieces.logOf(name), 'utf8');
      logs.push(
        `the last of ${name}:`,
        ...text
          .trimEnd()
          .split('\n')
          .slice(-8)
          .map((one) => `  ${one.slice(0, 600)}`),
      );
    }
    for (const [id, log] of this.#databaseLogs) {
      logs.push(
        `the last of database ${id}:`,
        ...log
          .trimEnd()
          .split('\n')
          .slice(-25)
          .map((one) => `  ${one}`),
      );
    }
    return [...steps, ...harms, ...logs];
  }
}
