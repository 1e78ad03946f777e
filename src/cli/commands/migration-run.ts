import { Command } from 'commander';
import { afterwards, journey } from '../../client/watch-phase.js';
import { action, UsageError } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrationRun = new Command('migration-run')
  .description('run a phase of a migration')
  .argument('<id>')
  .option('--preflight', 'look whether the move is possible')
  .option('--prepare', 'freeze the source, make the app in the destination')
  .option('--data', 'copy the databases and keep them following')
  .option('--finalize', 'switch')
  .option('--rollback', 'switch back, with every write made since')
  .option('--complete', 'end the time in which it can be rolled back')
  .option('--remove-source', 'with --complete: remove the application in the source')
  .action(
    action(async (session, id: string, options: Record<string, unknown>) => {
      const wanted = [...journey, ...afterwards].filter(({ phase }) => options[phase] === true);
      const [one] = wanted;
      if (!one || wanted.length > 1) {
        throw new UsageError(
          'Name one phase: --preflight, --prepare, --data, --finalize, --rollback or --complete.',
        );
      }
      const removeSource = options['removeSource'] === true;
      if (removeSource && one.phase !== 'complete') {
        throw new UsageError('--remove-source goes with --complete.');
      }
      await session.client.runMigration(session.app(), id, one.phase, { removeSource });
      const ended = await watch(session, { id }, one.title);
      session.print(ended, summary(ended));
    }),
  );
