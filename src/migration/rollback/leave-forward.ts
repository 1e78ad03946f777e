import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** Removes the app that was rolled back; clients that know its addresses are forwarded. */
export const leaveForward: Step = {
  title: ({ destination }) => `Remove the application from ${destination}, and forward its clients`,
  async run({ migration, source, destination, newAppId, remember, log }) {
    const { switchedAt, windowClosesAt } = migration;
    const window = (windowClosesAt?.getTime() ?? 0) - (switchedAt?.getTime() ?? 0);
    const until = Date.now() + window;
    // The source is its owner's again, and may be gone by now.
    const grant = await orGone(source.grantForward({ app: migration.appId }));
    if (grant) {
      await orGone(destination.leaveForward({ app: newAppId, until, ...grant }));
      log(`${destination.name} forwards to ${source.name} until ${new Date(until).toISOString()}.`);
    }
    await destination.deleteApp({ app: newAppId });
    await remember({ newAppId: null });
  },
};
