import { randomUUID } from 'node:crypto';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { NewEvent } from '../events/event.js';
import { eventRow } from '../events/event-log.js';
import { Refusal } from '../shared/errors.js';
import {
  closedStatuses,
  type Migration,
  nextOf,
  type PhaseName,
  type Progress,
  type Standing,
  type Status,
  type StepStatus,
} from './migration.js';
import type { Asked, Changes, NewMigration } from './migrations.js';
import { asked, createRequest, noteRequest, runRequest } from './requests.js';
import { type MigrationRow, toStepRecord, withSteps } from './rows.js';
import type { MigrationTables } from './schema.js';
import type { Marks, SwitchClients, Switching, Traffic, TrafficSecond } from './switch/record.js';
import { giveWay } from './verification/store.js';

/** Facts that steps leave for later steps and for a repetition of themselves after a crash. */
export interface Facts {
  readonly newAppId?: string | null;
  readonly wasStarted?: boolean | null;
  readonly holdUntil?: Date | null;
  readonly promotingAt?: Date | null;
}

/** One execution of a phase. */
export interface Run {
  readonly migration: string;
  readonly number: number;
  readonly phase: PhaseName;
}

/** Id of the durable workflow that executes a run. */
export function workflowId(run: Pick<Run, 'migration' | 'number'>): string {
  return `${run.migration}/${run.number}`;
}

export interface StepState {
  readonly id: string;
  readonly status: StepStatus;
  readonly undone: boolean;
}

/** Migrations and their steps in PostgreSQL. Every change of status is a compare-and-set. */
export class MigrationStore {
  readonly #db: Kysely<MigrationTables>;

  constructor(db: Kysely<MigrationTables>) {
    this.#db = db;
  }

  /**
   * @returns the new migration, or the one that was created when the request was made before
   * @throws Refusal `conflict` when the app has an open migration, also when two calls race
   */
  async create(wanted: NewMigration): Promise<Migration> {
    const { app, idempotencyKey: key } = wanted;
    const dstAppName = wanted.dstAppName ?? app.name;
    /** Null when what was in the way is over by the time that it is looked at. */
    const attempt = async (tx: Transaction<MigrationTables>) => {
      const fresh = randomUUID();
      const created = await tx
        .insertInto('migrations')
        .values({
          id: fresh,
          app_id: app.id,
          src_app_name: app.name,
          dst_app_name: dstAppName,
          source: wanted.source,
          destination: wanted.destination,
          verify: wanted.verify,
          upgrade: JSON.stringify(wanted.upgrade),
          status: 'created',
          created_by: JSON.stringify(wanted.user),
          // Its preflight begins at once, and clients decode a date from the first answer on.
          started_at: sql`clock_timestamp()`,
        })
        .onConflict((conflict) =>
          conflict
            .column('app_id')
            .where('status', 'not in', [...closedStatuses])
            .doNothing(),
        )
        .executeTakeFirst();
      if (created.numInsertedOrUpdatedRows === 1n) {
        await noteRequest(tx, app.id, key, createRequest(wanted), fresh);
        const begun = eventRow({
          ...{ user: wanted.user, appId: app.id, appName: app.name },
          type: 'start_region_migration',
          data: {
            migration_id: fresh,
            source: wanted.source,
            destination: wanted.destination,
            dst_app_name: dstAppName,
          },
        });
        await tx.insertInto('events').values(begun).execute();
        return fresh;
      }
      const faster = await asked(tx, app.id, key, createRequest(wanted));
      if (faster !== null) return faster;
      const open = await openMigration(tx, app.id);
      if (open) throw isOpen(app.name, open);
      return null;
    };
    for (;;) {
      const id = await this.#db.transaction().execute(attempt);
      if (id !== null) return this.get(id);
    }
  }

  /**
   * What exactly this request created when it was made before, under its key.
   * @throws Refusal `invalid` when the key was used for another request
   */
  async createdEarlier(wanted: NewMigration): Promise<Migration | null> {
    const { app, idempotencyKey: key } = wanted;
    const id = await asked(this.#db, app.id, key, createRequest(wanted));
    return id === null ? null : this.get(id);
  }

  /** Whether exactly this was asked for under the key before. @throws Refusal `invalid` when something else was */
  async wasAsked({ id, appId }: Migration, phase: PhaseName, key: string | null): Promise<boolean> {
    return (await asked(this.#db, appId, key, runRequest(id, phase))) !== null;
  }

  /** Notes that this was asked for, although there was nothing to do. */
  async noteAsked({ id, appId }: Migration, phase: PhaseName, key: string | null): Promise<void> {
    await noteRequest(this.#db, appId, key, runRequest(id, phase), id);
  }

  /** What changed of a migration after a version of it; with 0, all of it. */
  async changesSince(id: string, version: number): Promise<Changes> {
    const migration = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const [whole] = await withSteps(this.#db, [migration]);
    if (!whole) throw new Error(`migration ${id} is gone`);
    const steps = await this.#db
      .selectFrom('migration_steps')
      .selectAll()
      .where('migration_id', '=', id)
      .where('changed_in', '>', String(version))
      .orderBy('changed_in')
      .execute();
    return {
      // Steps that changed after the first look are told once more with the next version.
      version: Number(migration.version),
      isWhole: version === 0,
      migration: Number(migration.changed_in) > version ? whole : null,
      steps: steps.map(toStepRecord),
    };
  }

  /** @throws when there is no such migration */
  async get(id: string): Promise<Migration> {
    const migration = await this.find(id);
    if (!migration) throw new Error(`migration ${id} is gone`);
    return migration;
  }

  async find(id: string): Promise<Migration | null> {
    const row = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst();
    return row ? ((await withSteps(this.#db, [row]))[0] ?? null) : null;
  }

  /** Newest first. */
  async listOfApp(appId: string): Promise<Migration[]> {
    const rows = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where((where) => where.or([where('app_id', '=', appId), where('new_app_id', '=', appId)]))
      .orderBy('created_at', 'desc')
      .execute();
    return withSteps(this.#db, rows);
  }

  /**
   * Makes `phase` the one that runs, if the migration still stands as it was when that was judged.
   * @returns the run, or null when something else came first
   */
  async begin(
    migration: Migration,
    phase: PhaseName,
    { key, removeSource = false }: Asked,
  ): Promise<Run | null> {
    return this.#db.transaction().execute(async (tx) => {
      const row = await tx
        .updateTable('migrations')
        .set({
          status: phase === 'abort' ? 'aborting' : 'running',
          phase,
          failed_phase: null,
          run_number: sql`run_number + 1`,
          started_at: sql`coalesce(started_at, now())`,
          finished_at: null,
          // A switch back knows nothing yet of what the one before it came to.
          ...(phase === 'rollback' &&
            migration.status === 'done' && {
              ...{ was_started: null, hold_until: null, promoting_at: null },
            }),
          ...(phase === 'complete' && { remove_source: removeSource }),
        })
        .where('id', '=', migration.id)
        .where('status', '=', migration.status)
        .where('switched_at', migration.switchedAt ? 'is not' : 'is', null)
        .where('completed_at', 'is', null)
        .returning(['run_number'])
        .executeTakeFirst();
      if (!row) return null;
      await giveWay(tx, migration.id, phase);
      await noteRequest(tx, migration.appId, key, runRequest(migration.id, phase), migration.id);
      return { migration: migration.id, number: row.run_number, phase };
    });
  }

  /**
   * Does something while the migration stands as it was when that was judged, and nothing else can begin.
   * @returns what it gives, or null when something else came first
   */
  async whileAsIs<T>(
    { id, status }: Migration,
    work: (tx: Transaction<MigrationTables>) => Promise<T>,
  ): Promise<T | null> {
    return this.#db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('migrations')
        .select('status')
        .where('id', '=', id)
        .forUpdate()
        .executeTakeFirst();
      return row?.status === status ? work(tx) : null;
    });
  }

  /** Gives a run whose workflow died another, so that the phase carries on. */
  async beginAgain(run: Run): Promise<Run | null> {
    const row = await this.#db
      .updateTable('migrations')
      .set({ run_number: sql`run_number + 1` })
      .where('id', '=', run.migration)
      .where('run_number', '=', run.number)
      .where('status', 'in', ['running', 'aborting'])
      .returning(['run_number'])
      .executeTakeFirst();
    return row ? { ...run, number: row.run_number } : null;
  }

  /** Ends a run, unless another has taken its place. */
  async end(run: Run, status: Status): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      const row = await tx
        .updateTable('migrations')
        .set({
          status,
          failed_phase: status === 'error' || status === 'preflight-error' ? run.phase : null,
          finished_at: sql`now()`,
          ...(run.phase === 'complete' && status === 'done' && { completed_at: sql`now()` }),
        })
        .where('id', '=', run.migration)
        .where('run_number', '=', run.number)
        .where('status', 'in', ['running', 'aborting'])
        .returningAll()
        .executeTakeFirst();
      if (!row || !closedStatuses.includes(status) || run.phase === 'complete') return;
      await tx
        .insertInto('events')
        .values(eventRow(endOf(row)))
        .execute();
    });
  }

  /** Whether this run is still the one that should be going on. */
  async isCurrent(run: Run): Promise<boolean> {
    const row = await this.#db
      .selectFrom('migrations')
      .select('run_number')
      .where('id', '=', run.migration)
      .executeTakeFirst();
    return row?.run_number === run.number;
  }

  /** Those whose preflight has not begun yet. */
  async listCreated(): Promise<Migration[]> {
    const rows = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where('status', '=', 'created')
      .execute();
    return withSteps(this.#db, rows);
  }

  /** Those whose window is over: done, or back there after a rollback that failed. */
  async listOverdue(): Promise<Migration[]> {
    const rows = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where((where) =>
        where.or([where('status', '=', 'done'), where('failed_phase', '=', 'rollback')]),
      )
      .where('completed_at', 'is', null)
      .where('window_closes_at', '<=', sql<Date>`now()`)
      .execute();
    return withSteps(this.#db, rows);
  }

  /** A migration that took an app further, or is about to; null when none did. */
  async onward(appId: string): Promise<Migration | null> {
    const row = await this.#db
      .selectFrom('migrations')
      .selectAll()
      .where('app_id', '=', appId)
      .where('status', 'not in', ['aborted', 'rolled-back'])
      .executeTakeFirst();
    return row ? ((await withSteps(this.#db, [row]))[0] ?? null) : null;
  }

  /** The runs that should be going on. */
  async currentRuns(): Promise<Run[]> {
    const rows = await this.#db
      .selectFrom('migrations')
      .select(['id', 'run_number', 'phase'])
      .where('status', 'in', ['running', 'aborting'])
      .execute();
    return rows.flatMap(({ id, run_number, phase }) =>
      phase ? [{ migration: id, number: run_number, phase }] : [],
    );
  }

  /**
   * Passes the point of no return of a switch, unless an abort came first.
   * @returns whether the other side serves from now on
   */
  async commitSwitch(run: Run, window: number): Promise<boolean> {
    const closes = sql<Date>`coalesce(window_closes_at, now() + ${window} * interval '1 ms')`;
    const row = await this.#db
      .updateTable('migrations')
      .set(
        run.phase === 'rollback'
          ? { rolled_back_at: sql`coalesce(rolled_back_at, now())` }
          : { switched_at: sql`coalesce(switched_at, now())`, window_closes_at: closes },
      )
      .where('id', '=', run.migration)
      .where('run_number', '=', run.number)
      .returning('id')
      .executeTakeFirst();
    return row !== undefined;
  }

  async remember(id: string, facts: Facts): Promise<void> {
    const changes = {
      ...(facts.newAppId !== undefined && { new_app_id: facts.newAppId }),
      ...(facts.wasStarted !== undefined && { was_started: facts.wasStarted }),
      ...(facts.holdUntil !== undefined && { hold_until: facts.holdUntil }),
      ...(facts.promotingAt !== undefined && { promoting_at: facts.promotingAt }),
    };
    await this.#db.updateTable('migrations').set(changes).where('id', '=', id).execute();
  }

  /** Adds to the record of a switch; what is known of it already stays. */
  async recordSwitch(
    id: string,
    phase: Switching,
    { marks = {}, clients = null }: { marks?: Marks; clients?: SwitchClients | null },
  ): Promise<void> {
    const known = sql`switches->${phase}::text`;
    const record = sql`jsonb_build_object(
      'marks', ${JSON.stringify(marks)}::jsonb || coalesce(${known}->'marks', '{}'),
      'clients', coalesce(nullif(${known}->'clients', 'null'), ${JSON.stringify(clients)}::jsonb))`;
    await this.#db
      .updateTable('migrations')
      .set({ switches: sql`switches || jsonb_build_object(${phase}::text, ${record})` })
      .where('id', '=', id)
      .execute();
  }

  /** Forgets a switch that was backed out of. */
  async forgetSwitch(id: string, phase: Switching): Promise<void> {
    await this.#db
      .updateTable('migrations')
      .set({ switches: sql`switches - ${phase}::text` })
      .where('id', '=', id)
      .execute();
  }

  async recordTraffic(
    id: string,
    phase: Switching,
    found: readonly TrafficSecond[],
  ): Promise<void> {
    const seconds = JSON.stringify(found);
    await this.#db
      .insertInto('switch_traffic')
      .values({ migration_id: id, phase, seconds })
      .onConflict((conflict) =>
        conflict.columns(['migration_id', 'phase']).doUpdateSet({ seconds }),
      )
      .execute();
  }

  /** What the edges saw around the switches of a migration. */
  async traffic(id: string): Promise<Traffic> {
    const rows = await this.#db
      .selectFrom('switch_traffic')
      .select(['phase', 'seconds'])
      .where('migration_id', '=', id)
      .execute();
    return Object.fromEntries(rows.map(({ phase, seconds }) => [phase, seconds]));
  }

  /** The row of a step, made when there is none; nothing about an existing one changes. */
  async stepRow(run: Run, key: string, name: string): Promise<StepState> {
    await this.#db
      .insertInto('migration_steps')
      .values({
        id: randomUUID(),
        migration_id: run.migration,
        phase: run.phase,
        key,
        name,
        status: 'running',
      })
      .onConflict((conflict) => conflict.columns(['migration_id', 'phase', 'key']).doNothing())
      .execute();
    return this.#db
      .selectFrom('migration_steps')
      .select(['id', 'status', 'undone'])
      .where('migration_id', '=', run.migration)
      .where('phase', '=', run.phase)
      .where('key', '=', key)
      .executeTakeFirstOrThrow();
  }

  /** The keys of the steps of this phase that were begun and not taken back. */
  async begunSteps(run: Run): Promise<Set<string>> {
    const rows = await this.#db
      .selectFrom('migration_steps')
      .select('key')
      .where('migration_id', '=', run.migration)
      .where('phase', '=', run.phase)
      .where('undone', '=', false)
      .execute();
    return new Set(rows.map((row) => row.key));
  }

  async updateStep(
    id: string,
    changes: {
      status?: StepStatus;
      logs?: string | null;
      progress?: Progress | null;
      undone?: boolean;
    },
  ): Promise<void> {
    const { progress, ...rest } = changes;
    await this.#db
      .updateTable('migration_steps')
      .set({
        ...rest,
        ...(progress !== undefined && { progress: progress && JSON.stringify(progress) }),
      })
      .where('id', '=', id)
      .execute();
  }
}

async function openMigration(tx: Transaction<MigrationTables>, app: string) {
  return tx
    .selectFrom('migrations')
    .select(['id', 'status', 'phase'])
    .select(['failed_phase as failedPhase', 'switched_at as switchedAt'])
    .select(['window_closes_at as windowClosesAt', 'completed_at as completedAt'])
    .where('app_id', '=', app)
    .where('status', 'not in', [...closedStatuses])
    .executeTakeFirst();
}

function isOpen(app: string, open: Standing & { readonly id: string }): Refusal {
  const next = nextOf(open) ?? 'It is about to end: wait for that.';
  return Refusal.conflict(
    'migration_open',
    `${app} already has an open migration: ${open.id}, which is ${open.status}. ${next} Another can be created once it has ended.`,
  );
}

function endOf(row: MigrationRow): NewEvent {
  return {
    user: row.created_by,
    appId: row.app_id,
    appName: row.src_app_name,
    type: 'end_region_migration',
    data: {
      migration_id: row.id,
      source: row.source,
      destination: row.destination,
      dst_app_name: row.dst_app_name,
      new_app_id: row.new_app_id,
      status: row.status,
    },
  };
}
