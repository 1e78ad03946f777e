import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import type { VerificationJson } from '../../api/region-migrations/verification-shape.js';
import { bytes } from '../../shared/bytes.js';
import { action } from '../session.js';
import { table } from '../table.js';

/** How often it is asked how far it is, in milliseconds. */
const every = 500;

export const verifyData = new Command('verify-data')
  .description('compare the databases of a migration with what follows them, while both are in use')
  .argument('<id>')
  .option('--stop', 'end the comparison that is under way, also that of a phase')
  .addHelpText(
    'after',
    '\nGives way to a phase that is asked for. Ends with 1 when anything differs, or could not be compared.',
  )
  .action(
    action(async (session, id: string, { stop = false }: { stop?: boolean }) => {
      const { client } = session;
      const app = session.app();
      if (stop) return client.stopVerifying(app, id);
      let seen = await client.verifyData(app, id);
      while (seen.status === 'running') {
        await sleep(every);
        seen = (await client.verification(app, id)) ?? seen;
      }
      session.print(seen, lines(seen));
      if (seen.status === 'different') throw new Error(`${app} differs from what follows it.`);
      if (seen.status !== 'equal') throw new Error(`Not compared to the end: ${seen.reason}`);
    }),
  );

function lines({ databases, differences, unsettled }: VerificationJson): string[] {
  return [
    ...databases.flatMap(({ product, version, compared, left_out, parts }) => {
      const without = left_out.map((line) => `  ${line}`);
      if (!compared) return [`${product} ${version} is not compared by content.`, ...without];
      const rows = parts.map(({ name, status, rows, bytes: size }) => [
        `  ${name}`,
        rows.toLocaleString('en').padStart(12),
        bytes(size).padStart(9),
        status === 'different' ? 'differs' : 'the same',
      ]);
      return [`${product} ${version}`, ...table(rows), ...without];
    }),
    ...unsettled,
    ...differences,
  ];
}
