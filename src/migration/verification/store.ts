import { randomUUID } from 'node:crypto';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import type { PhaseName } from '../migration.js';
import { type MigrationTables, runsChannel } from '../schema.js';
import type { ComparedDatabase, Verification, VerificationStatus } from './verification.js';
import type { PartProgress } from './walk.js';

/** Under which the step that compares is remembered. */
export const comparingStep = 'compareDatabases';

/** The verification was told to end, or another thing took its place. */
export class Ended extends Error {}

/** One execution of a verification that was asked for by itself. */
export interface VerificationRun {
  readonly id: string;
  readonly attempt: number;
}

/** Id of the durable workflow that executes it. */
export function verificationWorkflowId({ id, attempt }: VerificationRun): string {
  return `${id}/${attempt}`;
}

/** Verifications in PostgreSQL. Each look that is over is written down, so that none is repeated after a crash. */
export class VerificationStore {
  readonly #db: Kysely<MigrationTables>;

  constructor(db: Kysely<MigrationTables>) {
    this.#db = db;
  }

  /** Begins one, unless one of the migration runs. @returns the one that runs then */
  async begin(migration: string, phase: PhaseName | null, db = this.#db): Promise<Verification> {
    await db
      .insertInto('verifications')
      .values({ id: randomUUID(), migration_id: migration, phase, status: 'running' })
      .onConflict((conflict) =>
        conflict.column('migration_id').where('status', '=', 'running').doNothing(),
      )
      .execute();
    await sql`SELECT pg_notify(${runsChannel}, '')`.execute(db);
    const running = await this.newest(migration, db);
    if (!running) throw new Error(`migration ${migration} is gone`);
    return running;
  }

  /** Lets one that failed go on where it was. */
  async resume(id: string): Promise<void> {
    await this.#db
      .updateTable('verifications')
      .set({ status: 'running', reason: null, finished_at: null })
      .where('id', '=', id)
      .where('status', '=', 'failed')
      .execute();
  }

  /** Ends one that runs. */
  async end(id: string, status: VerificationStatus, reason: string | null): Promise<void> {
    await this.#db.transaction().execute((tx) => end(tx, id, status, reason));
  }

  /**
   * Ends one that runs, and found differences. A migration that was about to switch to what is not
   * the same has failed at its data: nothing but that phase mends it.
   * @param differences in lines for people
   */
  async endDifferent(
    { id, migration }: Pick<Verification, 'id' | 'migration'>,
    differences: readonly string[],
  ): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      // The migration first, as a phase that begins does: neither then waits for the other.
      const its = tx.selectFrom('migrations').select('id').where('id', '=', migration);
      await its.forUpdate().execute();
      const ended = await end(tx, id, 'different', null);
      if (!ended || ended.phase !== null) return;
      const failed = await tx
        .updateTable('migrations')
        .set({ status: 'error', phase: 'data', failed_phase: 'data' })
        .where('id', '=', ended.migration_id)
        .where('status', '=', 'data-migrated')
        .returning('id')
        .executeTakeFirst();
      if (!failed) return;
      await tx
        .updateTable('migration_steps')
        .set({ status: 'error', logs: differences.join('\n') })
        .where('migration_id', '=', failed.id)
        .where('phase', '=', 'data')
        .where('key', '=', comparingStep)
        .execute();
    });
  }

  /** Ends whichever runs, and has one that failed not be gone on with. */
  async stop(migration: string): Promise<void> {
    await this.#db
      .updateTable('verifications')
      .set({ status: 'stopped', reason: 'It was told to end.', finished_at: sql`now()` })
      .where('id', '=', (query) =>
        query
          .selectFrom('verifications')
          .select('id')
          .where('migration_id', '=', migration)
          .orderBy('started_at', 'desc')
          .limit(1),
      )
      .where('status', 'in', ['running', 'failed'])
      .execute();
  }

  /** The one that was begun last. */
  async newest(migration: string, db = this.#db): Promise<Verification | null> {
    const row = await db
      .selectFrom('verifications')
      .selectAll()
      .where('migration_id', '=', migration)
      .orderBy('started_at', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row ? this.#whole(row) : null;
  }

  /** Those that were asked for by themselves and run. */
  async running(): Promise<VerificationRun[]> {
    return this.#db
      .selectFrom('verifications')
      .select(['id', 'attempt'])
      .where('status', '=', 'running')
      .where('phase', 'is', null)
      .execute();
  }

  /** Gives one whose workflow died another. */
  async beginAgain({ id, attempt }: VerificationRun): Promise<VerificationRun | null> {
    const row = await this.#db
      .updateTable('verifications')
      .set({ attempt: sql`attempt + 1` })
      .where('id', '=', id)
      .where('attempt', '=', attempt)
      .where('status', '=', 'running')
      .returning(['id', 'attempt'])
      .executeTakeFirst();
    return row ?? null;
  }

  /** @throws when there is no such verification */
  async get(id: string): Promise<Verification> {
    const row = await this.#db
      .selectFrom('verifications')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    return this.#whole(row);
  }

  /** Notes what there is to compare. @throws Ended */
  async saveDatabase(id: string, { parts: _, ...database }: ComparedDatabase): Promise<void> {
    await this.#whileRunning(id, (tx) =>
      tx
        .insertInto('verified_databases')
        .values({
          verification_id: id,
          addon: database.addon,
          database: JSON.stringify(database),
        })
        .onConflict((conflict) =>
          conflict
            .columns(['verification_id', 'addon'])
            .doUpdateSet({ database: JSON.stringify(database) }),
        )
        .execute(),
    );
  }

  /** Notes how far a part is. @throws Ended */
  async savePart(id: string, addon: string, progress: PartProgress): Promise<void> {
    const text = JSON.stringify(progress);
    await this.#whileRunning(id, (tx) =>
      tx
        .insertInto('verified_parts')
        .values({ verification_id: id, addon, part: progress.part.id, progress: text })
        .onConflict((conflict) =>
          conflict.columns(['verification_id', 'addon', 'part']).doUpdateSet({ progress: text }),
        )
        .execute(),
    );
  }

  async #whileRunning(
    id: string,
    change: (tx: Transaction<MigrationTables>) => Promise<unknown>,
  ): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('verifications')
        .select('reason')
        .where('id', '=', id)
        .where('status', '=', 'running')
        .forShare()
        .executeTakeFirst();
      if (!row) throw new Ended('The comparison was told to end.');
      await change(tx);
    });
  }

  async #whole(row: Selectable<MigrationTables['verifications']>): Promise<Verification> {
    const [databases, parts] = await Promise.all([
      this.#db
        .selectFrom('verified_databases')
        .select(['addon', 'database'])
        .where('verification_id', '=', row.id)
        .orderBy('addon')
        .execute(),
      this.#db
        .selectFrom('verified_parts')
        .select(['addon', 'progress'])
        .where('verification_id', '=', row.id)
        .orderBy('addon')
        .orderBy(sql`part COLLATE "C"`)
        .execute(),
    ]);
    return {
      id: row.id,
      migration: row.migration_id,
      phase: row.phase,
      status: row.status,
      reason: row.reason,
      startedAt: row.started_at,
      finishedAt: row.finished_at,
      databases: databases.map(({ addon, database }) => ({
        ...database,
        parts: parts.filter((one) => one.addon === addon).map(({ progress }) => progress),
      })),
    };
  }
}

async function end(
  tx: Transaction<MigrationTables>,
  id: string,
  status: VerificationStatus,
  reason: string | null,
) {
  return tx
    .updateTable('verifications')
    .set({ status, reason, finished_at: sql`now()` })
    .where('id', '=', id)
    .where('status', '=', 'running')
    .returning(['migration_id', 'phase'])
    .executeTakeFirst();
}

/** Has what compares give way to a phase that begins. */
export async function giveWay(
  tx: Transaction<MigrationTables>,
  migration: string,
  phase: PhaseName,
): Promise<void> {
  await tx
    .updateTable('verifications')
    .set({ status: 'stopped', reason: `It gave way to ${phase}.`, finished_at: sql`now()` })
    .where('migration_id', '=', migration)
    .where('status', '=', 'running')
    .execute();
}
