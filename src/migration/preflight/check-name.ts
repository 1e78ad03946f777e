import { check } from './check.js';

/** Nobody has the destination name there. */
export const checkName = check({
  title: ({ dstAppName, destination }) =>
    `Check if the name ${dstAppName} is available on ${destination}`,
  async look({ migration, destination, log, obstacle }) {
    const { dstAppName } = migration;
    if (await destination.findApp({ ref: dstAppName })) {
      return obstacle(
        `${destination.name} already has an app named ${dstAppName}. Abort, and create the migration with another dst_app_name.`,
      );
    }
    log(`${dstAppName} is free on ${destination.name}.`);
  },
});
