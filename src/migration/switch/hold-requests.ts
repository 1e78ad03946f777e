import { bytes } from '../../shared/bytes.js';
import type { Step, StepContext } from '../phase.js';
import { holdBudgetOf } from './hold-budget.js';
import type { Way } from './way.js';

/**
 * How much longer than the engine the edge waits, which then serves again by itself if the app's
 * processes are still there; in milliseconds. The engine backs out first.
 */
const backingOut = 15_000;

/** From now on requests wait at the edge of whoever serves, to be answered in one region or the other. */
export const holdRequests = (way: Way): Step => ({
  title: 'Hold requests',
  whileHolding: true,
  async foresee({ holdBudget }) {
    return [
      `For at most ${holdBudget / 1000} s, and as long as databases are copied that cannot be before; for how long probably, preflight estimates. If it took longer, everything would be as before.`,
    ];
  },
  async run(context) {
    const { migration, record } = context;
    const { region, app } = way.from(context);
    const holdUntil = migration.holdUntil ?? (await begin(context, way));
    const left = Math.max(0, holdUntil.getTime() - Date.now());
    record.mark('held');
    await region.hold({ app, budget: left + backingOut, drain: Math.round(left / 3) });
    record.mark('drained');
  },
  async undo(context) {
    const { remember, record, log } = context;
    const { region, app } = way.from(context);
    const report = await region.holdReport({ app });
    await region.serve({ app });
    await remember({ holdUntil: null });
    await record.forget();
    log(`Requests go to ${region.name} again; ${report.held} had waited.`);
  },
});

/** @returns until when requests may be held */
async function begin(context: StepContext, way: Way): Promise<Date> {
  const { time, rest } = await holdBudgetOf(context, way);
  context.log(`Requests wait, for at most ${Math.ceil(time / 1_000)} s.`);
  if (rest > 0) context.log(`Meanwhile, ${bytes(rest)} are copied that could not be before.`);
  const holdUntil = new Date(Date.now() + time);
  await context.remember({ holdUntil });
  return holdUntil;
}
