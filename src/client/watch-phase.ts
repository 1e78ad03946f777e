import { Listr } from 'listr2';
import type { MigrationJson } from '../api/region-migrations/presenter.js';
import type { PhaseName } from '../migration/migration.js';
import type { ApiClient } from './api-client.js';
import { followMigration } from './follow.js';
import { databaseLines, logLines, stepLine } from './step-lines.js';

/** Where and how a phase is shown. */
export interface Display {
  /** Shows the steps in place, as they change; otherwise each is a line once it has ended. */
  readonly live: boolean;
  line(text: string): void;
}

/** Standard error: what is shown of a phase is not the output of the command. */
export const terminal: Display = {
  live: process.stderr.isTTY === true,
  line: (text) => process.stderr.write(`${text}\n`),
};

/**
 * Shows the steps of whatever phase of the migration runs, until none does.
 * @returns the migration as it is then
 */
export async function watchPhase(
  client: ApiClient,
  app: string,
  migration: Pick<MigrationJson, 'id'>,
  title: string,
  display: Display,
): Promise<MigrationJson> {
  return display.live
    ? watchLive(client, app, migration.id, title)
    : watchPlainly(client, app, migration.id, title, display);
}

/** Whether the phase that ran last did what it should. */
export function succeeded({ failed_phase }: MigrationJson): boolean {
  return failed_phase === null;
}

function stepsOf({ steps, phase }: MigrationJson) {
  return steps.filter((step) => step.phase === phase);
}

async function watchPlainly(
  client: ApiClient,
  app: string,
  id: string,
  title: string,
  { line }: Display,
): Promise<MigrationJson> {
  line(title);
  const shown = new Set<string>();
  return followMigration(client, app, id, (migration) => {
    for (const step of stepsOf(migration)) {
      if (step.status === 'running' || shown.has(step.id)) continue;
      shown.add(step.id);
      line(`  ${stepLine(step)}`);
      for (const log of logLines(step)) line(`  ${log}`);
    }
  });
}

async function watchLive(
  client: ApiClient,
  app: string,
  id: string,
  title: string,
): Promise<MigrationJson> {
  let last: MigrationJson | undefined;
  const list = new Listr(
    {
      title,
      task: async (_, task) => {
        last = await followMigration(client, app, id, (migration) => {
          const steps = stepsOf(migration);
          task.output = steps
            .flatMap((step) => [
              stepLine(step),
              ...(step.status === 'running' ? databaseLines(step) : logLines(step)),
            ])
            .join('\n');
        });
        if (!succeeded(last)) throw new Error(title);
      },
      rendererOptions: { outputBar: Number.POSITIVE_INFINITY, persistentOutput: true },
    },
    { exitOnError: false, rendererOptions: { showErrorMessage: false, collapseErrors: false } },
  );
  await list.run();
  if (!last) throw list.errors[0] ?? new Error('The migration could not be followed.');
  return last;
}

/** What can be run when a migration is done. */
export const afterwards: readonly { phase: PhaseName; title: string }[] = [
  { phase: 'rollback', title: 'Rollback: the switch, the other way' },
  { phase: 'complete', title: 'Complete: the end of forwarding and of the way back' },
];

/** The phases of a whole migration in order, and what each is called while it is shown. */
export const journey: readonly { phase: PhaseName; title: string }[] = [
  { phase: 'preflight', title: 'Preflight: only looks' },
  { phase: 'prepare', title: 'Prepare: the empty canvas in the destination' },
  { phase: 'data', title: 'Data: the databases are copied and followed; the app stays up' },
  { phase: 'finalize', title: 'Finalize: the switch' },
];
