import { Command } from 'commander';
import { readPort } from '../read-port.js';
import { untilToldToEnd } from '../until-told.js';

interface Options {
  readonly dir: string;
  readonly port?: number;
  readonly readyFile?: string;
  readonly regions?: string;
}

export const dev = new Command('dev')
  .description('run everything on this machine: a control plane and two regions')
  .option('--dir <folder>', 'that holds everything', '.godwit')
  .option('--port <port>', 'of the API; the same as before, or 4000', readPort)
  .option('--ready-file <file>', 'is written when everything is there')
  .option('--regions <names>', 'such as osc-fr1,osc-secnum-fr1')
  .action(async ({ dir, port, readyFile, regions }: Options) => {
    const { startDev } = await import('../../dev/dev.js');
    const ended = untilToldToEnd();
    const running = await startDev({
      dir,
      port: port ?? null,
      regions: regions?.split(',').map((name) => name.trim()) ?? null,
      readyFile: readyFile ?? null,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    await ended;
    await running.stop();
  });
