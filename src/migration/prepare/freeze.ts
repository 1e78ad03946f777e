import type { Step } from '../phase.js';

/**
 * From now on the source's settings stay as they are; the app itself goes on working. Waits for
 * what its owner began before, so that what is migrated is whole.
 */
export const freeze: Step = {
  title: 'Freeze the source application',
  async run({ migration, source, log }) {
    await source.freeze({ app: migration.appId, migration: migration.id });
    log(
      `${migration.srcAppName} keeps working; its settings cannot be changed until the migration ends.`,
    );
  },
};
