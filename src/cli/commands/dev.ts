import { Command, InvalidArgumentError } from 'commander';
import { regionName } from '../../region/registry.js';
import { readPort } from '../read-port.js';
import { untilToldToEnd } from '../until-told.js';

interface Options {
  readonly dir: string;
  readonly port?: number;
  readonly readyFile?: string;
  readonly regions?: readonly string[];
}

export const dev = new Command('dev')
  .description('run everything on this machine: a control plane and two regions')
  .option('--dir <folder>', 'that holds everything', '.godwit')
  .option('--port <port>', 'of the API; the same as before, or 4000', readPort)
  .option('--ready-file <file>', 'is written when everything is there')
  .option('--regions <names>', 'such as osc-fr1,osc-secnum-fr1', readRegions)
  .action(async ({ dir, port, readyFile, regions }: Options) => {
    const { startDev } = await import('../../dev/dev.js');
    const ended = untilToldToEnd();
    const running = await startDev({
      dir,
      port: port ?? null,
      regions: regions ?? null,
      readyFile: readyFile ?? null,
      say: (line) => process.stderr.write(`${line}\n`),
    });
    await ended;
    await running.stop();
  });

function readRegions(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    const { error } = regionName.safeParse(name);
    if (error) throw new InvalidArgumentError(`"${name}" ${error.issues[0]?.message}.`);
  }
  if (new Set(names).size < names.length)
    throw new InvalidArgumentError('A region is named twice.');
  return names;
}
