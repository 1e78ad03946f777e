import type { Step } from '../phase.js';

/** The last line of preflight: fails when any check did. */
export const conclude: Step = {
  title: 'Preflight checks',
  async run({ migration, log }) {
    const failed = migration.steps.filter(
      ({ phase, status }) => phase === 'preflight' && status === 'error',
    );
    const obstacles = failed.filter(({ name }) => name !== conclude.title);
    if (obstacles.length > 0) {
      throw new Error(
        `${obstacles.length} of the checks failed: ${obstacles.map(({ name }) => name).join(', ')}. ` +
          'Mend what they tell and run preflight again.',
      );
    }
    log('All checks passed. Nothing has been changed yet.');
  },
};
