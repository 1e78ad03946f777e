import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from './json-file.js';
import { identify, isAlive, processIdentity } from './processes.js';

/**
 * Makes sure that one process only works on a folder.
 * @param holds what the process is, for the file and for the message: `agent`
 * @throws when another one that runs has it
 */
export async function lockFolder(dir: string, holds: string): Promise<void> {
  const file = join(dir, `${holds}.lock`);
  const holder = await readJsonFile(file, processIdentity);
  if (holder && holder.pid !== process.pid && isAlive(holder)) {
    throw new Error(
      `Process ${holder.pid} is the ${holds} of ${dir}. Stop it first, or choose another folder.`,
    );
  }
  await writeJsonFile(file, identify(process.pid));
}
