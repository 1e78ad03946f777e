import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '../shared/json-file.js';
import { identify, isAlive, processIdentity } from '../shared/processes.js';

/** Makes sure that one agent only writes to a folder. @throws when another one that runs has it */
export async function lockFolder(dir: string): Promise<void> {
  const file = join(dir, 'agent.json');
  const holder = await readJsonFile(file, processIdentity);
  if (holder && holder.pid !== process.pid && isAlive(holder)) {
    throw new Error(
      `Process ${holder.pid} is the agent of this folder. Stop it first, or choose another folder.`,
    );
  }
  await writeJsonFile(file, identify(process.pid));
}
