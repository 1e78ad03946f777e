import { Refusal } from '../../shared/errors.js';
import { type DatabasePair, databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import { sideBySide } from '../side-by-side.js';
import { watchCopies } from './watch-copies.js';
import type { Way } from './way.js';

/**
 * The switchover: fence the primary, let the follower replay all of it, promote. All databases of
 * the app side by side. There are never two writable primaries: none is promoted before every
 * fence holds, and none is unfenced before its follower can no longer be one.
 */
export const switchDatabases = (way: Way): Step => ({
  title: 'Switch the databases',
  whileHolding: true,
  async run(context) {
    const { migration, remember, record, log } = context;
    const [from, to] = [way.from(context), way.to(context)];
    const pairs = await databasePairs(context);
    const positions = new Map<DatabasePair, string>();
    await Promise.all(
      pairs.map(async (pair) => {
        const position = await from.region.fence({ database: from.database(pair) });
        positions.set(pair, position);
        log(
          `${pair.addon.product} takes no writes any more; its follower is to come to ${position}.`,
        );
      }),
    );
    record.mark('fenced');
    const catchUp = async (pair: DatabasePair, position: string): Promise<void> => {
      const timeout = Math.max(0, (migration.holdUntil?.getTime() ?? 0) - Date.now());
      try {
        await to.region.waitFor({ database: to.database(pair), position, timeout });
        positions.set(pair, position);
      } catch (error) {
        if (!isCutOff(error)) throw error;
        log(`${pair.addon.product} lets its follower in once more, which had lost sight of it.`);
        const database = from.database(pair);
        await catchUp(pair, await from.region.fence({ database, again: true }));
      }
    };
    const endWatch = watchCopies(context, way, pairs);
    await Promise.all([...positions].map((one) => catchUp(...one))).finally(endWatch);
    record.mark('caughtUp');
    await remember({ promotingAt: new Date() });
    await Promise.all(pairs.map((pair) => to.region.promote({ database: to.database(pair) })));
    record.mark('promoted');
    for (const [{ addon }, position] of positions) {
      log(`${addon.product} ${addon.version} switched at ${position}.`);
    }
  },
  async undo(context) {
    const { migration, remember, log } = context;
    const [from, to] = [way.from(context), way.to(context)];
    const pairs = await databasePairs(context);
    if (migration.promoting) {
      await sideBySide(pairs, (pair) =>
        orGone(to.region.standDown({ database: to.database(pair) })),
      );
    }
    await sideBySide(pairs, (pair) => from.region.unfence({ database: from.database(pair) }));
    await remember({ promotingAt: null });
    log(
      `The databases of ${from.region.name} take writes again${migration.promoting ? '; those that were to take over will be copied anew' : ''}.`,
    );
  },
});

function isCutOff(error: unknown): boolean {
  return error instanceof Refusal && error.details.code === 'cut_off';
}
