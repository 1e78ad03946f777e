import { Command } from 'commander';
import { journey } from '../../client/watch-phase.js';
import { ask, needAnswers } from '../ask.js';
import { action } from '../session.js';
import { summary, watch } from '../watch.js';

export const migrate = new Command('migrate')
  .description('move the application to another region: all phases, asking before each')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .option('--yes', 'do not ask')
  .action(
    action(
      async (
        session,
        { to, newName, yes = false }: { to: string; newName?: string; yes?: boolean },
      ) => {
        if (!yes) needAnswers();
        const { client } = session;
        const { id } = await client.createMigration(session.app(), to, newName);
        for (const { phase, title } of journey) {
          if (phase !== 'preflight') {
            if (!yes && !(await ask(`Go on with ${phase}?`))) {
              const again = `godwit migration-run --${phase} ${id} --app ${session.app()}`;
              throw new Error(`Stopped before ${phase}. Go on with: ${again}`);
            }
            await client.runMigration(session.app(), id, phase);
          }
          await watch(session, { id }, title);
        }
        const done = await client.migration(session.app(), id);
        const moved = await client.inRegion(done.destination).app(done.new_app_id ?? '');
        session.print(done, [...summary(done), `${moved.name} answers at ${moved.url}`]);
      },
    ),
  );
