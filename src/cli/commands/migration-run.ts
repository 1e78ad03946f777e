import { Command } from 'commander';
import { journey } from '../../client/watch-phase.js';
import { action, UsageError } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrationRun = new Command('migration-run')
  .description('run a phase of a migration')
  .argument('<id>')
  .option('--preflight', 'look whether the move is possible')
  .option('--prepare', 'freeze the source, make the app in the destination')
  .option('--data', 'copy the databases and keep them following')
  .option('--finalize', 'switch')
  .action(
    action(async (session, id: string, options: Record<string, unknown>) => {
      const wanted = journey.filter(({ phase }) => options[phase] === true);
      const [one] = wanted;
      if (!one || wanted.length > 1) {
        throw new UsageError('Name one phase: --preflight, --prepare, --data or --finalize.');
      }
      await session.client.runMigration(session.app(), id, one.phase);
      const ended = await watch(session, { id }, one.title);
      session.print(ended, summary(ended));
    }),
  );
