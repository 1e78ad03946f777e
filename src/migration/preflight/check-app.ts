import { bytes } from '../../shared/bytes.js';
import type { Step } from '../phase.js';

/** Tells what would run in the destination, and that no other migration has the app. */
export const checkApp: Step = {
  title: 'Check the application and its build',
  async run({ migration, sourceApp, log }) {
    const app = await sourceApp();
    if (app.frozenBy && app.frozenBy !== migration.id) {
      throw new Error(
        `${app.name} is frozen by migration ${app.frozenBy}, which moved it elsewhere. Migrate the app that came of it.`,
      );
    }
    log(
      app.build
        ? `Build ${app.build.id}, ${bytes(app.build.size)}.`
        : 'Nothing has been deployed yet: an app without a build will be created.',
    );
    const wanted = app.formation.filter(({ amount }) => amount > 0);
    if (wanted.length > 0) {
      log(`Formation: ${wanted.map(({ name, amount }) => `${name}:${amount}`).join(', ')}.`);
    }
  },
};
