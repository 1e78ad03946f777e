import { DBOS } from '@dbos-inc/dbos-sdk';
import { until } from '../shared/until.js';
import { phaseNamed } from './phases.js';
import type { Outcome, Runner } from './run.js';
import { type Run, workflowId } from './store.js';
import type { Verifier } from './verification/verifier.js';

/** Between two attempts of a step that must succeed, in milliseconds. */
const pauses = [250, 500, 1_000, 2_000, 5_000];

/**
 * The phase as a durable workflow over `runner`. It calls the runner only in workflow steps, so
 * that replaying it after a crash repeats nothing that was finished.
 */
export async function runPhase(runner: Runner, run: Run): Promise<void> {
  const { runsAll } = phaseNamed[run.phase];
  if (run.phase === 'abort') {
    await recorded('await earlier runs', () => earlierRunsEnded(run));
  }
  const keys = await recorded('plan', () => runner.plan(run));
  let outcome: Outcome = 'done';
  for (const key of keys) {
    const result = await perform(runner, run, key);
    if (result === 'done') continue;
    outcome = result;
    if (!runsAll || result === 'superseded') break;
  }
  if (outcome !== 'done') {
    for (const key of keys.reverse()) {
      await recorded(`undo ${key}`, () => runner.undo(run, key));
    }
  }
  const ending = outcome === 'done' ? 'success' : 'failure';
  await recorded('end', () => runner.end(run, ending));
}

/**
 * A step of the workflow. A database that does not answer for a moment does not end the workflow:
 * one that ended while it backs out would leave that half done.
 */
function recorded<T>(name: string, work: () => Promise<T>): Promise<T> {
  const patience = { retriesAllowed: true, maxAttempts: 60, intervalSeconds: 1, backoffRate: 1 };
  return DBOS.runStep(work, { name, ...patience });
}

/** Waits until the run that an abort took the place of has stopped, and backed out where it had to. */
async function earlierRunsEnded(run: Run): Promise<void> {
  for (let number = 1; number < run.number; number += 1) {
    await until(async () => !(await isGoingOn(workflowId({ ...run, number }))), {
      timeout: Number.POSITIVE_INFINITY,
      what: `run ${number} to end`,
    });
  }
}

/** Compares the databases of a migration as a durable workflow: after a crash it goes on where it was. */
export async function runVerification(verifier: Verifier, id: string): Promise<void> {
  await recorded('compare', () => verifier.run(id));
}

/** Whether a workflow has still something to do. */
export async function isGoingOn(workflow: string): Promise<boolean> {
  const status = (await DBOS.getWorkflowStatus(workflow))?.status;
  return status === 'PENDING' || status === 'ENQUEUED' || status === 'DELAYED';
}

async function perform(runner: Runner, run: Run, key: string): Promise<Outcome> {
  for (let attempt = 0; ; attempt += 1) {
    const outcome = await recorded(key, () => runner.perform(run, key));
    if (outcome !== 'failed') return outcome;
    if (!(await recorded('must succeed?', () => runner.mustSucceed(run)))) {
      return outcome;
    }
    await DBOS.sleepms(pauses[Math.min(attempt, pauses.length - 1)] ?? 0);
  }
}
