import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stage } from './platform-stage.js';

/**
 * All files of both regions by their paths, apart from what changes by itself: what a running
 * database writes, and what processes and clients of an app print.
 */
export async function everything(stage: Stage): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const region of ['here', 'there']) {
    const names = await readdir(join(stage.dir, region), { recursive: true, withFileTypes: true });
    for (const entry of names) {
      const path = join(entry.parentPath, entry.name);
      if (!entry.isFile() || /\/databases\/\w+\/(data\/|postgresql\.log)/.test(path)) continue;
      found[path] = await readFile(path, 'base64');
    }
  }
  return found;
}
