import type { Step } from '../phase.js';

/** How long requests may be held at most, in milliseconds. */
export const holdBudget = 30_000;

/** From now on requests wait at the source's edge, to be answered in one region or the other. */
export const holdRequests: Step = {
  title: 'Hold requests',
  whileHolding: true,
  async foresee() {
    return [
      `For at most ${holdBudget / 1000} s; for how long probably, preflight estimates. If it took longer, everything would be as before.`,
    ];
  },
  async run({ migration, source, remember, log }) {
    const now = Date.now();
    const holdUntil = migration.holdUntil?.getTime() ?? now + holdBudget;
    await remember({ holdUntil: new Date(holdUntil) });
    // The edge waits a little longer than the engine, which backs out first.
    await source.hold({ app: migration.appId, budget: Math.max(0, holdUntil - now) + 15_000 });
    log(`Requests wait, for at most ${holdBudget / 1000} s.`);
  },
  async undo({ migration, source, remember, log }) {
    const report = await source.holdReport({ app: migration.appId });
    await source.serve({ app: migration.appId });
    await remember({ holdUntil: null });
    log(`Requests go to ${source.name} again; ${report.held} had waited.`);
  },
};
