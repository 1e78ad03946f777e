import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A copy of an example with its packages, so that not every deployment installs them. */
export async function installed(example: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `godwit-${example}-`));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await cp(join(import.meta.dirname, '../../examples', example), folder, { recursive: true });
  await promisify(execFile)('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], {
    cwd: folder,
  });
  await rm(join(folder, 'package-lock.json')); // with it, the packages would be left out
  return folder;
}
