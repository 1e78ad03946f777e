import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';
import { check } from './check.js';

/** Nothing else has the app, and what would run in the destination is there and can run there. */
export const checkApp = check({
  title: 'Check the application and its build',
  async look({ migration, sourceApp, source, destination, log, obstacle }) {
    const app = await sourceApp();
    if (app.frozenBy && app.frozenBy !== migration.id) {
      obstacle(
        `${app.name} is frozen by migration ${app.frozenBy}. Wait for its end; if it has moved the app, migrate the one that came of it.`,
      );
    }
    const { build } = app;
    if (build) {
      await source.verifyBuild({ app: app.id }).then(
        () => log(`Build ${build.id}, ${bytes(build.size)}, digest verified.`),
        (error) => {
          if (!(error instanceof Refusal && error.kind === 'conflict')) throw error;
          obstacle(error.message);
        },
      );
    } else log('Nothing has been deployed yet: an app without a build will be created.');
    const { stacks } = await destination.describe({});
    const stack = stacks.find(({ id }) => id === app.stack);
    if (stack) log(`Its stack, ${stack.name}, is offered by ${destination.name}.`);
    else {
      const others = stacks.map(({ name }) => name).join(', ');
      obstacle(
        `${destination.name} lacks the stack ${app.stack} (it offers ${others}). Deploy for one of those first.`,
      );
    }
  },
});
