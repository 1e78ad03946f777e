import { Command } from 'commander';
import { z } from 'zod';
import { countUpTo } from '../read-count.js';
import { action } from '../session.js';

export const logs = new Command('logs')
  .description('show the last log lines')
  .option('-n, --lines <count>', 'how many', countUpTo(10_000), 100)
  .action(
    action(async (session, { lines }: { lines: number }) => {
      const answer = z.object({ logs_url: z.string() });
      const { logs_url } = await session.client.get(`/apps/${session.app()}/logs`, answer);
      const text = await session.client.text(`${logs_url}&n=${lines}`);
      const all = text.split('\n').slice(0, -1);
      session.print(all, all);
    }),
  );
