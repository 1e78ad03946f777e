import { Command } from 'commander';
import { logLines, stepLine } from '../../client/step-lines.js';
import { action } from '../session.js';
import { summary } from '../watch.js';

export const migrationShow = new Command('migration-show')
  .description('show a migration and its steps')
  .argument('<id>')
  .action(
    action(async (session, id: string) => {
      const migration = await session.client.migration(session.app(), id);
      const steps = migration.steps.flatMap((step) => [stepLine(step), ...logLines(step)]);
      session.print(migration, [...summary(migration), ...steps]);
    }),
  );
