import { Command } from 'commander';
import { action, UsageError } from '../session.js';

export const scale = new Command('scale')
  .description('set the amounts of process types, such as web:2 worker:1')
  .argument('<type:amount...>')
  .action(
    action(async (session, wanted: string[]) => {
      const amounts = Object.fromEntries(wanted.map(readAmount));
      await session.client.scale(session.app(), amounts);
      session.print(amounts, `Scaled ${session.app()} to ${wanted.join(' ')}.`);
    }),
  );

function readAmount(text: string): [string, number] {
  const [, type, amount] = /^([a-z][a-z0-9-]*):(\d{1,3})$/.exec(text) ?? [];
  if (type === undefined) throw new UsageError(`"${text}" is not TYPE:AMOUNT, such as web:2.`);
  return [type, Number(amount)];
}
