import { Command, InvalidArgumentError } from 'commander';
import { terminal } from '../../client/watch-phase.js';
import { readPlan, usualPlan } from '../../dev/verify/plan.js';
import { messageOf } from '../../shared/errors.js';
import { countUpTo } from '../read-count.js';
import { action } from '../session.js';

interface Options {
  readonly to: string;
  readonly clients: number;
  readonly plan: ReturnType<typeof readPlan>;
  readonly pause: number;
  readonly edge?: string;
  readonly keep?: boolean;
}

export const verify = new Command('verify')
  .description('check this Godwit: move a throwaway application about while clients write to it')
  .requiredOption('--to <region>', 'the destination')
  .option('--clients <count>', 'how many write and read', countUpTo(1_000), 8)
  .option('--plan <acts>', 'of migrate, abort and rollback, with commas between', planned, [
    ...usualPlan,
  ])
  .option(
    '--pause <seconds>',
    'between one act and the next, while clients write',
    countUpTo(86_400, 0),
    0,
  )
  .option(
    '--edge <url>',
    "of the source's edge, where the application's address does not lead there",
  )
  .option('--keep', 'leave the application where it is afterwards')
  .addHelpText('after', '\nEnds with 1 when an entry is lost or doubled, or any request failed.')
  .action(
    action(async (session, { to, clients, plan, pause, edge, keep = false }: Options) => {
      const { verify } = await import('../../dev/verify/verify.js');
      const { inWords } = await import('../../dev/verify/in-words.js');
      const { client, isHere } = session;
      const done = await verify({
        client,
        to,
        clients,
        plan,
        pause,
        edge: edge ?? null,
        keep,
        isHere,
        say: terminal.line,
      });
      session.print(
        {
          sound: done.isSound,
          app: done.app,
          clients: done.clients.kinds,
          failures: done.clients.failures,
          witnessed: done.witnessed,
          entries: done.entries,
          judgement: done.judgement,
          migrations: done.migrations.map(({ id, status }) => ({ id, status })),
        },
        inWords(done),
      );
      if (!done.isSound) throw new Error('The check found what should not be.');
    }),
  );

function planned(text: string): ReturnType<typeof readPlan> {
  try {
    return readPlan(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}
