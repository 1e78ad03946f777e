import { readFile } from 'node:fs/promises';
import type { Room } from '../../region/model.js';
import { diskOf } from '../../shared/disk.js';
import { withVariable } from '../../shared/processes.js';
import { marker } from '../runtime/host-processes/supervised.js';

/** What is free on this host, and on the disk of a folder, in bytes. */
export async function roomIn(folder: string): Promise<Room> {
  return { disk: (await diskOf(folder)).free, memory: await availableMemory() };
}

/** Bytes of memory that processes of an app take now. */
export async function memoryOf(app: string): Promise<number> {
  const processes = withVariable(marker).filter(({ value }) => value.startsWith(`${app}/`));
  const taken = await Promise.all(
    processes.map(async ({ process: { pid } }) => {
      const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // it has ended
      return kilobytes(text, 'VmRSS');
    }),
  );
  return taken.reduce((sum, one) => sum + one, 0);
}

async function availableMemory(): Promise<number> {
  return kilobytes(await readFile('/proc/meminfo', 'utf8'), 'MemAvailable');
}

/** A line such as `MemAvailable:  20 kB` (proc(5)), in bytes; 0 when there is none. */
function kilobytes(text: string, name: string): number {
  const [, count = '0'] = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text) ?? [];
  return Number(count) * 1024;
}
