/** What a migration would do, step by step, without any of it. */
import { randomUUID } from 'node:crypto';
import { messageOf } from '../shared/errors.js';
import { derivedId } from '../shared/ids.js';
import type { Migration, PhaseName, StepRecord } from './migration.js';
import type { NewMigration, Plan, PlannedStep } from './migrations.js';
import type { Step, StepContext } from './phase.js';
import { phaseNamed } from './phases.js';
import { existingApp, type RunnerParts, regionNamed } from './run.js';

const planned: readonly PhaseName[] = ['prepare', 'data', 'finalize'];

/** Runs every check of preflight, and asks every other step what it would do. Changes nothing. */
export async function makePlan(
  {
    regions,
    people,
    holdBudget,
    copyBudget,
  }: Pick<RunnerParts, 'regions' | 'people' | 'holdBudget' | 'copyBudget'>,
  wanted: NewMigration,
): Promise<Plan> {
  const migration = imagined(wanted);
  const [source, destination] = [
    regionNamed(regions, migration.source),
    regionNamed(regions, migration.destination),
  ];
  const outlook = {
    ...{ source, destination },
    newAppId: derivedId(migration.id, 'app'),
    ...{ holdBudget, copyBudget },
    sourceApp: () => existingApp(source, wanted.app.id, wanted.app.name),
    isKnown: async (user: string) => (await people.find(user)) !== null,
  };

  const checked: StepRecord[] = [];
  for (const step of Object.values(phaseNamed.preflight.steps(migration))) {
    const now = { ...migration, steps: [...checked] };
    checked.push(await runCheck(step, { ...outlook, migration: now }));
  }
  const later = await Promise.all(
    planned.map(async (phase) => {
      // As finalize is when data has been run before it.
      const now = { ...migration, steps: phase === 'finalize' ? [...checked, data] : checked };
      const steps = Object.values(phaseNamed[phase].steps(now));
      const foreseen = steps.map(async (step): Promise<PlannedStep> => {
        const foresee = async () => step.foresee?.({ ...outlook, migration: now });
        const lines = await foresee().catch((error) => [`Cannot be foreseen: ${messageOf(error)}`]);
        return { name: titleOf(step, now), status: 'planned', logs: lines?.join('\n') || null };
      });
      return { phase, steps: await Promise.all(foreseen) };
    }),
  );
  return {
    migration,
    isPossible: checked.every(({ status }) => status === 'done'),
    phases: [{ phase: 'preflight', steps: checked }, ...later],
  };
}

const data: StepRecord = {
  ...{ id: randomUUID(), phase: 'data', name: '', status: 'done', logs: null, progress: null },
};

function imagined(wanted: NewMigration): Migration {
  const { app, source, destination, dstAppName, verify, upgrade } = wanted;
  return {
    ...{ id: randomUUID(), appId: app.id, srcAppName: app.name, newAppId: null },
    ...{ source, destination, dstAppName: dstAppName ?? app.name, upgrade },
    ...{ status: 'created', phase: null, failedPhase: null, steps: [] },
    ...{ wasStarted: null, holdUntil: null, promoting: false, switchedAt: null, switches: {} },
    verify,
    ...{ windowClosesAt: null, rolledBackAt: null, completedAt: null, removeSource: false },
    ...{ createdAt: new Date(), startedAt: null, finishedAt: null },
  };
}

const titleOf = ({ title }: Step, migration: Migration) =>
  typeof title === 'string' ? title : title(migration);

async function runCheck(
  step: Step,
  context: Omit<
    StepContext,
    'signal' | 'log' | 'progress' | 'comparison' | 'remember' | 'record' | 'commitSwitch'
  >,
): Promise<StepRecord> {
  const lines: string[] = [];
  const never = () => Promise.reject(new Error('A plan changes nothing.'));
  const record = {
    ...{ id: randomUUID(), phase: 'preflight' as const, progress: null },
    name: titleOf(step, context.migration),
  };
  try {
    await step.run({
      ...context,
      signal: new AbortController().signal,
      log: (line) => lines.push(line),
      progress: () => undefined,
      comparison: { last: never, begin: never, complete: never },
      remember: never,
      record: { mark: () => undefined, clients: never, traffic: never, forget: never },
      commitSwitch: never,
    });
    return { ...record, status: 'done', logs: lines.join('\n') || null };
  } catch (error) {
    return { ...record, status: 'error', logs: [...lines, messageOf(error)].join('\n') };
  }
}
