import { Command } from 'commander';
import { action } from '../session.js';
import { switchLines } from '../switch-lines.js';

export const migrationReport = new Command('migration-report')
  .description('show how the switch of a migration went: how long requests waited, and why')
  .argument('<id>')
  .action(
    action(async (session, id: string) => {
      const report = await session.client.migrationReport(session.app(), id);
      const lines = report.switches.flatMap((one, at) => [
        ...(at > 0 ? [''] : []),
        ...switchLines(one),
      ]);
      session.print(report, lines.length > 0 ? lines : 'Nothing was switched yet.');
    }),
  );
