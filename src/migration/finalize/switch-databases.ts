import { databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/**
 * The switchover of design: fence the primary, let the follower replay all of it, promote. All
 * databases of the app side by side. There are never two writable primaries: none is promoted
 * before every fence holds, and none is unfenced before its follower can no longer be one.
 */
export const switchDatabases: Step = {
  title: 'Switch the databases',
  whileHolding: true,
  async run(context) {
    const { migration, source, destination, remember, log } = context;
    const pairs = await databasePairs(context);
    const positions = new Map<string, string>();
    await Promise.all(
      pairs.map(async ({ old, twin }) => {
        const position = await source.fence({ database: old });
        positions.set(old, position);
        const timeout = Math.max(0, (migration.holdUntil?.getTime() ?? 0) - Date.now());
        await destination.waitFor({ database: twin, position, timeout });
      }),
    );
    await remember({ promotingAt: new Date() });
    await Promise.all(pairs.map(({ twin }) => destination.promote({ database: twin })));
    for (const { addon, old } of pairs) {
      log(`${addon.product} ${addon.version} switched at ${positions.get(old)}.`);
    }
  },
  async undo(context) {
    const { migration, source, destination, remember, log } = context;
    const pairs = await databasePairs(context);
    if (migration.promoting) {
      await Promise.all(pairs.map(({ twin }) => orGone(destination.standDown({ database: twin }))));
    }
    await Promise.all(pairs.map(({ old }) => source.unfence({ database: old })));
    await remember({ promotingAt: null });
    log(
      `The databases of ${source.name} take writes again${migration.promoting ? '; their twins will be copied anew' : ''}.`,
    );
  },
};
