import { bytes } from '../../shared/bytes.js';
import { databasePairs } from '../databases.js';
import type { Step, StepContext } from '../phase.js';
import { keepFollowing } from '../switch/keep-following.js';
import { there } from '../switch/way.js';
import { findingLines, type Verification } from '../verification/verification.js';

/**
 * Makes sure that what was copied is what is there, while both are lived in. A copy that is not is
 * thrown away when the phase is run again, and made anew.
 */
export const compareDatabases: Step = {
  title: 'Compare the databases with their followers',
  async foresee({ migration }) {
    return migration.verify === 'none'
      ? ['Not compared, as was asked for.']
      : ['Row by row, by digests, while the app goes on.'];
  },
  async run(context) {
    const { migration, comparison, log } = context;
    const last = await comparison.last();
    if (last?.status === 'different') await throwAway(context, last);
    // A copy that was thrown away is made anew, also when that was interrupted.
    await keepFollowing({ ...context, log: () => undefined }, there);
    // What was found to differ once is compared, whatever was asked for before.
    if (migration.verify === 'none' && !last) return log('Not compared, as was asked for.');
    if (last?.status === 'stopped') return log('Not compared to the end, as was asked for.');
    if (!last) await comparison.begin();
    const found = await comparison.complete();
    for (const line of outcome(found)) log(line);
    if (found.status === 'different') {
      throw new Error(
        `The databases of ${migration.destination} that differ are not what was copied. Run the phase again: they are copied anew.`,
      );
    }
  },
};

/** Empties the followers that differ, and has the comparison begin anew. */
async function throwAway(context: StepContext, { databases }: Verification): Promise<void> {
  const { destination, comparison } = context;
  const wrong = databases.filter((one) => findingLines([one]).different.length > 0);
  const pairs = await databasePairs(context);
  for (const { twin } of pairs.filter(({ addon }) => wrong.some((one) => one.addon === addon.id))) {
    await destination.standDown({ database: twin });
  }
  await comparison.begin();
}

/** What was compared, in lines for people. */
function outcome({ status, reason, databases }: Verification): string[] {
  const lines = databases.flatMap(({ product, version, total, parts, leftOut }) => {
    if (total === null) {
      return [`${product} ${version} is not compared by content.`, ...leftOut];
    }
    const rows = parts.reduce((sum, part) => sum + part.rows, 0);
    const size = parts.reduce((sum, part) => sum + part.bytes, 0);
    const compared = `${product} ${version}: ${rows.toLocaleString('en')} rows, ${bytes(size)}, compared.`;
    return [compared, ...leftOut];
  });
  const { different, unsettled } = findingLines(databases);
  const ended = status === 'stopped' ? [`Not compared to the end: ${reason}`] : [];
  return [...lines, ...unsettled, ...different, ...ended];
}
