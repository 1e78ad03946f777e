import type { Region } from '../../region/region.js';
import { Refusal } from '../../shared/errors.js';
import { databasePairs } from '../databases.js';
import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';
import { sideBySide } from '../side-by-side.js';

/** The source's databases are their own again, with what they had at the end; the credentials are gone. */
export const endFollowing: Step = {
  title: 'End the replication to the source',
  async run(context) {
    const { migration, source, destination, log } = context;
    if (!(await source.findApp({ ref: migration.appId }))) return log('The source is gone.');
    await sideBySide(await databasePairs(context), async ({ addon, old, twin }) => {
      const isWhole = await standAlone(source, old);
      await orGone(destination.revokeFollow({ database: twin, follower: migration.id }));
      await source.revokeFollow({ database: old, follower: migration.id });
      log(
        isWhole
          ? `${addon.product} on ${source.name} follows no more, and keeps what it had last.`
          : `${addon.product} on ${source.name} had no whole copy when this ended, and is empty.`,
      );
    });
  },
};

/** @returns false when it had no whole copy, as after a rollback that was backed out of */
async function standAlone(region: Region, database: string): Promise<boolean> {
  try {
    await region.promote({ database });
    return true;
  } catch (error) {
    if (!(error instanceof Refusal && error.kind === 'conflict')) throw error;
    await region.standDown({ database });
    return false;
  }
}
