/**
 * The durable runner. One workflow per run of a phase, one workflow step per migration step: after
 * a crash the workflow continues at the step it was in. Outcomes are values rather than exceptions
 * and hold nothing secret, since the workflow engine records them.
 */
import pRetry from 'p-retry';
import type { App } from '../region/model.js';
import type { Region } from '../region/region.js';
import { messageOf, Refusal } from '../shared/errors.js';
import { derivedId } from '../shared/ids.js';
import type { Logger } from '../shared/logging.js';
import { type Amount, isCommitted, type Progress } from './migration.js';
import { Paces } from './pace.js';
import type { Step, StepContext } from './phase.js';
import { phaseNamed } from './phases.js';
import { Recorder } from './recorder.js';
import type { MigrationStore, Run } from './store.js';
import { comparisonOf } from './verification/comparison.js';
import type { VerificationStore } from './verification/store.js';

/** What became of a step: `superseded` when an abort came. */
export type Outcome = 'done' | 'failed' | 'superseded';

/** How often a running step looks whether an abort came, and writes its logs; in milliseconds. */
const heartbeat = 200;

/**
 * How long a region may be out of reach without a phase failing, in milliseconds: a line that is cut
 * for a minute is only a delay. Where requests are held, and where one only looks, it is not waited for as long.
 */
const outage = 120_000;

/** The regions that the engine works on, by name. */
export interface Regions {
  get(name: string): Region | null;
}

/** The accounts, as far as the engine asks for them. */
export interface People {
  find(id: string): Promise<unknown>;
}

export interface RunnerParts {
  readonly store: MigrationStore;
  readonly verifications: VerificationStore;
  readonly regions: Regions;
  readonly people: People;
  /** How long a switch can be taken back, in milliseconds. */
  readonly window: number;
  /** For how long a switch may let requests wait, in milliseconds. */
  readonly holdBudget: number;
  /** For how much longer, while what cannot be copied before is copied, in milliseconds. */
  readonly copyBudget: number;
  /** Of the time, at most so much is spent on comparing a database, from 0 to 1. */
  readonly verifyShare: number;
  readonly logger: Logger;
}

export class Runner {
  readonly #store: MigrationStore;
  readonly #verifications: VerificationStore;
  readonly #regions: Regions;
  readonly #people: People;
  readonly #window: number;
  readonly #holdBudget: number;
  readonly #copyBudget: number;
  readonly #verifyShare: number;
  readonly #logger: Logger;

  constructor(parts: RunnerParts) {
    const { store, verifications, regions, people, window, logger } = parts;
    const { holdBudget, copyBudget, verifyShare } = parts;
    this.#store = store;
    this.#verifications = verifications;
    this.#verifyShare = verifyShare;
    this.#regions = regions;
    this.#people = people;
    this.#window = window;
    this.#holdBudget = holdBudget;
    this.#copyBudget = copyBudget;
    this.#logger = logger;
  }

  /** The keys of the phase's steps, in order. */
  async plan(run: Run): Promise<string[]> {
    return Object.keys(phaseNamed[run.phase].steps(await this.#store.get(run.migration)));
  }

  /** Runs one step, unless an earlier run of the phase finished it. */
  async perform(run: Run, key: string): Promise<Outcome> {
    if (!(await this.#store.isCurrent(run))) return 'superseded';
    const { step, title } = await this.#step(run, key);
    const row = await this.#store.stepRow(run, key, title);
    if (row.status === 'done' && !row.undone && !phaseNamed[run.phase].runsAll) return 'done';
    await this.#store.updateStep(row.id, {
      status: 'running',
      logs: null,
      progress: null,
      undone: false,
    });
    const { error, superseded } = await this.#attempt(run, step, row.id, '', async (context) => {
      await step.run(context);
    });
    await this.#store.updateStep(row.id, { status: error === null ? 'done' : 'error' });
    if (error === null) return 'done';
    return superseded ? 'superseded' : 'failed';
  }

  /** Whether the failure of a step must be tried again rather than end the phase. */
  async mustSucceed(run: Run): Promise<boolean> {
    if (phaseNamed[run.phase].persists) return true;
    return isCommitted(await this.#store.get(run.migration));
  }

  /** Takes one step back, if it was begun and not taken back yet. Tries until it succeeds. */
  async undo(run: Run, key: string): Promise<void> {
    const { step, title } = await this.#step(run, key);
    const undo = step.undo?.bind(step);
    if (!undo || !(await this.#store.begunSteps(run)).has(key)) return;
    const row = await this.#store.stepRow(run, key, title);
    const logs = await this.#logsOf(run, row.id);
    await pRetry(
      async () => {
        const { error } = await this.#attempt(run, step, row.id, logs, undo, 'undoing');
        if (error) throw error;
      },
      { retries: Number.POSITIVE_INFINITY, minTimeout: 250, maxTimeout: 5_000 },
    );
    await this.#store.updateStep(row.id, { undone: true });
  }

  /** Ends the run with what became of it. */
  async end(run: Run, outcome: 'success' | 'failure'): Promise<void> {
    await this.#store.end(run, phaseNamed[run.phase][outcome]);
  }

  async #step(run: Run, key: string): Promise<{ step: Step; title: string }> {
    const migration = await this.#store.get(run.migration);
    const step = phaseNamed[run.phase].steps(migration)[key];
    if (!step) throw new Error(`phase ${run.phase} has no step ${key}`);
    return { step, title: typeof step.title === 'string' ? step.title : step.title(migration) };
  }

  async #logsOf(run: Run, id: string): Promise<string> {
    const { steps } = await this.#store.get(run.migration);
    return steps.find((step) => step.id === id)?.logs ?? '';
  }

  /**
   * Lets a step do its work while its logs and progress are written down and an abort is looked
   * for. Undoing knows neither abort nor deadline.
   */
  async #attempt(
    run: Run,
    step: Step,
    row: string,
    earlierLogs: string,
    work: (context: StepContext) => Promise<void>,
    doing: 'running' | 'undoing' = 'running',
  ): Promise<{ error: Error | null; superseded: boolean }> {
    const migration = await this.#store.get(run.migration);
    const abort = new AbortController();
    const lines = earlierLogs === '' ? [] : [earlierLogs];
    const paces = new Paces();
    let progress: Progress | null = null;
    let dirty = false;
    const write = async () => {
      if (!dirty) return;
      dirty = false;
      await this.#store.updateStep(row, { logs: lines.join('\n') || null, progress });
    };

    const deadline =
      doing === 'running' && step.whileHolding && migration.holdUntil && !isCommitted(migration)
        ? timeoutAt(migration.holdUntil)
        : null;
    const signal = deadline ? AbortSignal.any([abort.signal, deadline]) : abort.signal;

    // What is taken back outranks what was asked for before, should that arrive later.
    const turn = 2 * run.number + (doing === 'undoing' ? 1 : 0);
    const isPatient = !step.whileHolding && !phaseNamed[run.phase].runsAll;
    const how = { signal, turn, ...(isPatient && { patience: outage }) };
    const region = (name: string) =>
      regionNamed(this.#regions, name).onBehalfOf(run.migration, how);
    const superseded = async () =>
      doing === 'running' && !isCommitted(migration) && !(await this.#store.isCurrent(run));

    const record = new Recorder(this.#store, run);
    let beating = false;
    const beat = setInterval(async () => {
      if (beating) return;
      beating = true;
      try {
        await write();
        if (await superseded()) abort.abort(new Error('The migration is being aborted.'));
      } catch (error) {
        this.#logger.warn({ err: error, migration: run.migration }, 'cannot reach the database');
      } finally {
        beating = false;
      }
    }, heartbeat);

    try {
      signal.throwIfAborted();
      const [source, destination] = [region(migration.source), region(migration.destination)];
      const ground = {
        ...{ migration, source, destination, signal },
        newAppId: derivedId(migration.id, 'app'),
        sourceApp: () => existingApp(source, migration.appId, migration.srcAppName),
      };
      const tellProgress = (copies: ReadonlyMap<string, Amount>) => {
        progress = paces.note(copies);
        dirty = true;
      };
      await work({
        ...ground,
        holdBudget: this.#holdBudget,
        copyBudget: this.#copyBudget,
        isKnown: async (user) => (await this.#people.find(user)) !== null,
        log: (line) => {
          lines.push(line);
          dirty = true;
        },
        progress: tellProgress,
        comparison: comparisonOf(run.phase, {
          store: this.#verifications,
          ground,
          share: this.#verifyShare,
          progress: tellProgress,
        }),
        record,
        remember: (facts) => this.#store.remember(run.migration, facts),
        commitSwitch: async () => {
          signal.throwIfAborted();
          if (!(await this.#store.commitSwitch(run, this.#window))) {
            throw new Error('The migration is being aborted.');
          }
        },
      });
      return { error: null, superseded: false };
    } catch (thrown) {
      const error = new Error(
        deadline?.aborted
          ? `The time for which requests may be held was over before this had ended. Requests go where they went before; mend what took so long, then run ${run.phase} again.`
          : messageOf(thrown),
      );
      this.#logger.warn({ err: thrown, ...run }, 'step failed');
      lines.push(error.message);
      return { error, superseded: await superseded() };
    } finally {
      clearInterval(beat);
      abort.abort(new Error('The step has ended.')); // nothing of it goes on
      dirty = true;
      await write();
      await record.write();
    }
  }
}

/** Fires at that time; one that is over has fired already. */
function timeoutAt(time: Date): AbortSignal {
  const left = time.getTime() - Date.now();
  return left > 0 ? AbortSignal.timeout(left) : AbortSignal.abort();
}

/** @throws when the operator has taken it out of the regions file */
export function regionNamed(regions: Regions, name: string): Region {
  const found = regions.get(name);
  if (!found) throw new Error(`Region ${name} is no longer known; add it to the regions file.`);
  return found;
}

/** @throws Refusal `not-found` */
export async function existingApp(
  source: { findApp(input: { ref: string }): Promise<App | null> },
  id: string,
  name: string,
): Promise<App> {
  const app = await source.findApp({ ref: id });
  if (!app) throw Refusal.notFound('App', `${name} no longer exists. Abort the migration.`);
  return app;
}
