import { DBOS } from '@dbos-inc/dbos-sdk';
import { until } from '../shared/until.js';
import { phaseNamed } from './phases.js';
import type { Outcome, Runner } from './run.js';
import { type Run, workflowId } from './store.js';

/** Between two attempts of a step that must succeed, in milliseconds. */
const pauses = [250, 500, 1_000, 2_000, 5_000];

/**
 * The phase as a durable workflow over `runner`. It calls the runner only in workflow steps, so
 * that replaying it after a crash repeats nothing that was finished.
 */
export async function runPhase(runner: Runner, run: Run): Promise<void> {
  const { runsAll } = phaseNamed[run.phase];
  if (run.phase === 'abort') {
    await DBOS.runStep(() => earlierRunsEnded(run), { name: 'await earlier runs' });
  }
  const keys = await DBOS.runStep(() => runner.plan(run), { name: 'plan' });
  let outcome: Outcome = 'done';
  for (const key of keys) {
    const result = await perform(runner, run, key);
    if (result === 'done') continue;
    outcome = result;
    if (!runsAll || result === 'superseded') break;
  }
  if (outcome !== 'done') {
    for (const key of keys.reverse()) {
      await DBOS.runStep(() => runner.undo(run, key), { name: `undo ${key}` });
    }
  }
  const ending = outcome === 'done' ? 'success' : 'failure';
  await DBOS.runStep(() => runner.end(run, ending), { name: 'end' });
}

/** Waits until the run that an abort took the place of has stopped, and backed out where it had to. */
async function earlierRunsEnded(run: Run): Promise<void> {
  for (let number = 1; number < run.number; number += 1) {
    await until(async () => !(await isGoingOn({ ...run, number })), {
      timeout: Number.POSITIVE_INFINITY,
      what: `run ${number} to end`,
    });
  }
}

/** Whether the workflow of a run has still something to do. */
export async function isGoingOn(run: Run): Promise<boolean> {
  const status = (await DBOS.getWorkflowStatus(workflowId(run)))?.status;
  return status === 'PENDING' || status === 'ENQUEUED' || status === 'DELAYED';
}

async function perform(runner: Runner, run: Run, key: string): Promise<Outcome> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await DBOS.runStep(() => runner.perform(run, key), { name: key });
    if (outcome !== 'failed') return outcome;
    if (!(await DBOS.runStep(() => runner.mustSucceed(run), { name: 'must succeed?' }))) {
      return outcome;
    }
    await DBOS.sleepms(pauses[Math.min(attempt, pauses.length - 1)] ?? 0);
  }
}
