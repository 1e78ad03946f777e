import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** Removes the app that was rolled back; clients that know its addresses are forwarded. */
export const leaveForward: Step = {
  title: ({ destination }) => `Remove the application from ${destination}, and forward its clients`,
  async run({ migration, source, destination, newAppId, remember, log }) {
    const { switchedAt, windowClosesAt } = migration;
    const window = (windowClosesAt?.getTime() ?? 0) - (switchedAt?.getTime() ?? 0);
    const grant = await source.grantForward({ app: migration.appId });
    const until = Date.now() + window;
    await orGone(destination.leaveForward({ app: newAppId, until, ...grant }));
    await destination.deleteApp({ app: newAppId });
    await remember({ newAppId: null });
    log(`${destination.name} forwards to ${source.name} until ${new Date(until).toISOString()}.`);
  },
};
