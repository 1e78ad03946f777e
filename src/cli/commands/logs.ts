import { Command } from 'commander';
import { z } from 'zod';
import { countUpTo } from '../read-count.js';
import { action, type Session } from '../session.js';

interface Options {
  readonly lines: number;
  readonly filter?: string;
  readonly follow?: true;
}

const logEvent = z.object({ log: z.string().optional() });

export const logs = new Command('logs')
  .description('show the last log lines')
  .option('-n, --lines <count>', 'how many', countUpTo(10_000), 100)
  .option('-F, --filter <names>', 'only those of processes, such as "web" or "web-1|worker"')
  .option('-f, --follow', 'go on with those to come')
  .action(
    action(async (session, { lines, filter, follow }: Options) => {
      const answer = z.object({ logs_url: z.string() });
      const { logs_url } = await session.client.get(`/apps/${session.app()}/logs`, answer);
      const url = new URL(logs_url);
      url.searchParams.set('n', String(lines));
      if (filter !== undefined) url.searchParams.set('filter', filter);
      if (follow) return showAsTheyCome(session, url);
      const text = await session.client.text(url.href);
      const all = text.split('\n').slice(0, -1);
      session.print(all, all);
    }),
  );

async function showAsTheyCome({ client, print }: Session, url: URL): Promise<void> {
  url.searchParams.set('stream', 'true');
  for await (const data of client.events(url.href)) {
    const { log } = logEvent.parse(JSON.parse(data));
    if (log !== undefined) print({ log }, log);
  }
}
