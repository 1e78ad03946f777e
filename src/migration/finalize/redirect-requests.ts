import type { Step } from '../phase.js';

/** The point of no return: requests, the waiting ones first, go to the destination. */
export const redirectRequests: Step = {
  title: ({ destination }) => `Redirect requests to ${destination}`,
  whileHolding: true,
  async foresee({ source, destination }) {
    return [`The edge of ${source.name} forwards to that of ${destination.name} from then on.`];
  },
  async run({ migration, source, destination, newAppId, commitSwitch, remember, log }) {
    const grant = await destination.grantForward({ app: newAppId });
    await commitSwitch();
    await source.forward({ app: migration.appId, ...grant });
    const { held, longestWait } = await source.holdReport({ app: migration.appId });
    await remember({ switch: { held, longestWait }, holdUntil: null });
    log(`${held} requests had waited, the longest for ${Math.round(longestWait)} ms.`);
  },
};
