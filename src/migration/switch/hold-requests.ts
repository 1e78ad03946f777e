import type { Step } from '../phase.js';
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
      `For at most ${holdBudget / 1000} s; for how long probably, preflight estimates. If it took longer, everything would be as before.`,
    ];
  },
  async run(context) {
    const { migration, holdBudget, remember, record, log } = context;
    const { region, app } = way.from(context);
    const now = Date.now();
    const holdUntil = migration.holdUntil?.getTime() ?? now + holdBudget;
    await remember({ holdUntil: new Date(holdUntil) });
    const left = Math.max(0, holdUntil - now);
    record.mark('held');
    await region.hold({ app, budget: left + backingOut, drain: Math.round(left / 3) });
    record.mark('drained');
    log(`Requests wait, for at most ${holdBudget / 1000} s.`);
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
