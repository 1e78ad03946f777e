import { DBOS } from '@dbos-inc/dbos-sdk';
import type { Kysely } from 'kysely';
import { z } from 'zod';
import { type App, appName } from '../region/model.js';
import { Refusal } from '../shared/errors.js';
import type { Logger } from '../shared/logging.js';
import { Feed } from './feed.js';
import { Leadership } from './leadership.js';
import { judge, type Migration, nextOf, type PhaseName } from './migration.js';
import type { Asked, Changes, Migrations, NewMigration, Plan } from './migrations.js';
import { makePlan } from './plan.js';
import { type People, type Regions, Runner } from './run.js';
import { createMigrationTables, type MigrationTables } from './schema.js';
import { MigrationStore, type Run, workflowId } from './store.js';
import type { Traffic } from './switch/record.js';
import { isGoingOn, runPhase } from './workflow.js';

export interface EngineParts {
  readonly db: Kysely<MigrationTables>;
  /** Where the durable workflows are kept; the same PostgreSQL. */
  readonly databaseUrl: string;
  readonly regions: Regions & { names(): readonly string[] };
  readonly people: People;
  /** How long a switch can be taken back, in milliseconds. */
  readonly window: number;
  /** For how long a switch may let requests wait, in milliseconds. */
  readonly holdBudget: number;
  /** For how much longer, while what cannot be copied before is copied, in milliseconds. */
  readonly copyBudget: number;
  /** What whoever leads does beside, again and again. */
  readonly chores: readonly (() => Promise<void>)[];
  readonly logger: Logger;
}

/** How often the engine looks for phases that should be running and are not, in milliseconds. */
const patrol = 2_000;

const migrationId = z.uuid();

/**
 * Migrations, run durably. One engine a process: the workflow library is a singleton. Any engine
 * on the same database creates migrations and asks for phases; the one that leads runs them, and
 * when it takes the lead, it continues what was under way.
 */
export class Engine implements Migrations {
  readonly #parts: EngineParts;
  readonly #store: MigrationStore;
  readonly #workflow: (run: Run) => Promise<void>;
  readonly #feed: Feed;
  readonly #leadership: Leadership;
  /** Taking the lead; null for as long as this engine has not got it. */
  #leading: Promise<void> | null = null;
  #leads = false;
  #isStopping = false;
  #patrol: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;
  #lookAgain = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
    this.#store = new MigrationStore(parts.db);
    this.#feed = new Feed(parts.databaseUrl, parts.logger);
    this.#leadership = new Leadership(parts.databaseUrl, parts.logger);
    const runner = new Runner({ ...parts, store: this.#store });
    this.#workflow = DBOS.registerWorkflow((run: Run) => runPhase(runner, run), {
      name: 'run phase',
      maxRecoveryAttempts: 1_000_000,
    });
  }

  /**
   * Accepts migrations, and runs them as soon as this engine leads.
   * @param lost called when the lead is lost: the process must end, and may be started again
   */
  async start(lost: (why: Error) => void): Promise<void> {
    await createMigrationTables(this.#parts.db);
    this.#feed.onRun(() => this.#look());
    this.#feed.start();
    const won = async () => {
      if (this.#isStopping) return;
      this.#leading = this.#lead();
      await this.#leading;
    };
    this.#leadership.strive({ won, lost });
  }

  /** Stops working. What is under way continues under the next leader, as after a crash. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#feed.close();
    await this.#leading;
    clearInterval(this.#patrol);
    await this.#looking;
    if (this.#leads) await DBOS.shutdown({ deregister: true });
    // Last of all: the next leader begins when the lock is free.
    await this.#leadership.close();
  }

  async #lead(): Promise<void> {
    const { logger } = this.#parts;
    DBOS.setConfig({
      name: 'godwit',
      systemDatabaseUrl: this.#parts.databaseUrl,
      // Phases survive an upgrade of Godwit: the steps are the same ones by name.
      applicationVersion: '1',
      logger: logger.child(
        { part: 'workflows' },
        logger.isLevelEnabled('warn') ? { level: 'warn' } : {},
      ),
    });
    await DBOS.launch();
    this.#leads = true;
    this.#look();
    this.#patrol = setInterval(() => this.#look(), patrol);
  }

  async create(wanted: NewMigration): Promise<Migration> {
    const earlier = await this.#store.createdEarlier(wanted);
    if (earlier) return earlier;
    await this.#requirePossible(wanted);
    const migration = await this.#store.create(wanted);
    await this.#store.begin(migration, 'preflight', { key: null });
    return migration;
  }

  async plan(wanted: NewMigration): Promise<Plan> {
    await this.#requirePossible(wanted);
    return makePlan(this.#parts, wanted);
  }

  /** @throws Refusal for what no preflight is needed to see */
  async #requirePossible(wanted: NewMigration): Promise<void> {
    const { app, source, destination } = wanted;
    const dstAppName = wanted.dstAppName ?? app.name;
    const names = this.#parts.regions.names();
    if (!names.includes(destination)) {
      throw Refusal.invalid(
        'destination',
        `There is no region "${destination}". Regions are ${names.join(', ')}.`,
      );
    }
    const checkedName = appName.safeParse(dstAppName);
    if (!checkedName.success) {
      throw Refusal.invalid(
        'dst_app_name',
        checkedName.error.issues[0]?.message ?? 'is not a name',
      );
    }
    if (source === destination && dstAppName === app.name) {
      throw Refusal.invalid(
        'destination',
        `${app.name} is on ${source} already. Choose another region, or another dst_app_name.`,
      );
    }
    if (app.frozenBy) throw await this.#frozen(app, app.frozenBy);
  }

  list(appId: string): Promise<Migration[]> {
    return this.#store.listOfApp(appId);
  }

  async find(appId: string, id: string): Promise<Migration | null> {
    if (!migrationId.safeParse(id).success) return null;
    const migration = await this.#store.find(id);
    return migration && [migration.appId, migration.newAppId].includes(appId) ? migration : null;
  }

  traffic({ id }: Migration): Promise<Traffic> {
    return this.#store.traffic(id);
  }

  async run(migration: Migration, phase: PhaseName, how: Asked): Promise<void> {
    const { key } = how;
    if (await this.#store.wasAsked(migration, phase, key)) return;
    switch (judge(migration, phase)) {
      case 'nothing-to-do':
        return this.#store.noteAsked(migration, phase, key);
      case 'refused':
        throw this.#refusal(migration, phase);
      case 'start':
        if (phase === 'rollback') await this.#requireStillThere(migration);
        if (await this.#store.begin(migration, phase, how)) return;
        // Something else came first: judge again what it made of the migration.
        return this.run(await this.#store.get(migration.id), phase, how);
    }
  }

  async *follow(id: string, since: number | null, signal: AbortSignal): AsyncGenerator<Changes> {
    let wake: () => void = () => undefined;
    let woken = true;
    const unsubscribe = this.#feed.onChange(id, () => {
      woken = true;
      wake();
    });
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      for (let seen = since ?? 0; !signal.aborted; ) {
        if (!woken) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
          continue;
        }
        woken = false;
        const changes = await this.#store.changesSince(id, seen);
        if (changes.version < seen) {
          seen = 0; // a version that there never was: all of it is told
          woken = true;
          continue;
        }
        if (changes.version === seen) continue;
        seen = changes.version;
        yield changes;
      }
    } finally {
      unsubscribe();
    }
  }

  async #launch(run: Run): Promise<void> {
    await DBOS.startWorkflow(this.#workflow, { workflowID: workflowId(run) })(run);
  }

  /** Looks for runs to be started; one look at a time, and once more when there was reason to meanwhile. */
  #look(): void {
    if (!this.#leads) return;
    this.#lookAgain = true;
    this.#looking ??= (async () => {
      while (this.#lookAgain) {
        this.#lookAgain = false;
        for (const chore of [() => this.#keepRunning(), ...this.#parts.chores]) {
          await chore().catch((error) => {
            this.#parts.logger.error({ err: error }, 'cannot look for what is to be done');
          });
        }
      }
      this.#looking = null;
    })();
  }

  /** Starts the workflow of every run that should be going on and is not. */
  async #keepRunning(): Promise<void> {
    for (const migration of await this.#store.listCreated()) {
      await this.#store.begin(migration, 'preflight', { key: null });
    }
    for (const migration of await this.#store.listOverdue()) {
      await this.#store.begin(migration, 'complete', { key: null });
    }
    for (const run of await this.#store.currentRuns()) {
      if (await isGoingOn(run)) continue;
      const wasLaunched = (await DBOS.getWorkflowStatus(workflowId(run))) !== null;
      // A workflow that is over while its run is not has failed; another takes its place.
      const next = wasLaunched ? await this.#store.beginAgain(run) : run;
      if (next) await this.#launch(next);
    }
  }

  /** @throws Refusal `conflict` when the app has been taken further, or is about to be */
  async #requireStillThere({ newAppId, dstAppName }: Migration): Promise<void> {
    const onward = newAppId && (await this.#store.onward(newAppId));
    if (!onward) return;
    throw Refusal.conflict(
      'moved_on',
      `${dstAppName} is taken to ${onward.destination} by migration ${onward.id}, which is ${onward.status}. Abort that, or roll it back, first.`,
    );
  }

  async #frozen({ name }: App, by: string): Promise<Refusal> {
    const migration = await this.#store.find(by);
    const { destination, dstAppName, status } = migration ?? {};
    const what =
      status === 'done'
        ? `${name} has moved: it is ${dstAppName} on ${destination} now. Migrate that one.`
        : `${name} is frozen by migration ${by}, which is ${status ?? 'not known here'}. It can be migrated again once that has ended.`;
    return Refusal.conflict('frozen', what);
  }

  #refusal(migration: Migration, phase: PhaseName): Refusal {
    const next = nextOf(migration) ?? 'Nothing more can be run.';
    return Refusal.conflict(
      'wrong_status',
      `The migration is ${migration.status}: ${phase} cannot be run. ${next}`,
    );
  }
}
