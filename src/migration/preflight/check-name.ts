import type { Step } from '../phase.js';

/** Nobody has the destination name there. */
export const checkName: Step = {
  title: ({ dstAppName, destination }) =>
    `Check if the name ${dstAppName} is available on ${destination}`,
  async run({ migration, destination, log }) {
    const { dstAppName } = migration;
    if (await destination.findApp({ ref: dstAppName })) {
      throw new Error(
        `${destination.name} already has an app named ${dstAppName}. Abort, and create the migration with another dst_app_name.`,
      );
    }
    log(`${dstAppName} is free on ${destination.name}.`);
  },
};
