import { Command } from 'commander';
import { logLines, stepLine } from '../../client/step-lines.js';
import { journey } from '../../client/watch-phase.js';
import type { Upgrade, VerifyMode } from '../../migration/migration.js';
import { ask, needAnswers } from '../ask.js';
import { upgradeOption } from '../read-upgrade.js';
import { action, type Session } from '../session.js';
import { verifyOption } from '../verify-option.js';
import { summary, watch } from '../watch.js';

interface Options {
  readonly to: string;
  readonly newName?: string;
  readonly verify: VerifyMode;
  readonly upgrade?: Upgrade;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export const migrate = new Command('migrate')
  .description('move the application to another region: all phases, asking before each')
  .requiredOption('--to <region>', 'the destination')
  .option('--new-name <name>', 'another name in the destination')
  .option(...upgradeOption)
  .addOption(verifyOption())
  .option('--yes', 'do not ask')
  .option('--dry-run', 'only look, and tell what would be done')
  .action(
    action(async (session, options: Options) => {
      const { to, newName, verify, upgrade, yes = false, dryRun } = options;
      if (dryRun) return showPlan(session, options);
      if (!yes) needAnswers();
      const { client } = session;
      const { id } = await client.createMigration(session.app(), to, newName, {
        ...{ verify, upgrade },
      });
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
    }),
  );

/** @throws when the migration is not possible as things are */
async function showPlan(
  session: Session,
  { to, newName, verify, upgrade }: Options,
): Promise<void> {
  const plan = await session.client.planMigration(session.app(), to, newName, {
    ...{ verify, upgrade },
  });
  const lines = journey.flatMap(({ phase, title }) => [
    title,
    ...(plan.phases.find((one) => one.phase === phase)?.steps ?? []).flatMap((step) =>
      [stepLine(step), ...logLines(step)].map((line) => `  ${line}`),
    ),
  ]);
  session.print(plan, lines);
  if (!plan.possible) throw new Error('Not possible as things are: mend what the checks tell.');
}
