import { Command } from 'commander';
import { countUpTo } from '../read-count.js';

export const demo = new Command('demo')
  .description(
    'move an application with its database while clients read and write, and check every row',
  )
  .option('--json <file>', 'for the figures')
  .option('--rows <count>', 'in the database', countUpTo(100_000_000), 200_000)
  .action(async ({ json, rows }: { json?: string; rows: number }) => {
    const { runDemo } = await import('../../dev/demo/demo.js');
    const good = await runDemo({ rows, jsonFile: json ?? null });
    if (!good) throw new Error('The demo did not go as it should.');
  });
