import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Folder of the examples with their packages. */
    examples: string;
  }
}

/** Installs the packages of the examples once for all test files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-examples-'));
  await Promise.all([installExample('bird-log', dir), installExample('ledger', dir)]);
  project.provide('examples', dir);
  return () => rm(dir, { recursive: true, force: true });
}

/**
 * Copies an example into a folder with its packages, so that not every deployment installs them.
 * @returns where it is
 */
export async function installExample(example: string, dir: string): Promise<string> {
  const folder = join(dir, example);
  await cp(join(import.meta.dirname, '../examples', example), folder, { recursive: true });
  await promisify(execFile)('npm', ['ci', '--omit=dev', '--no-audit', '--no-fund'], {
    cwd: folder,
  });
  await rm(join(folder, 'package-lock.json')); // with it, the packages would be left out
  return folder;
}
