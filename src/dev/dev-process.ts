import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../shared/free-port.js';
import { readJsonFile } from '../shared/json-file.js';
import { until } from '../shared/until.js';
import { type Readiness, readiness } from './dev.js';

const program = fileURLToPath(new URL('../../bin/godwit.js', import.meta.url));

/** Runs `godwit dev` on a folder, in a process of its own. @throws when that does not come to be ready */
export async function startDevProcess(
  dir: string,
): Promise<{ ready: Readiness; stop(): Promise<void> }> {
  const readyFile = join(dir, 'ready.json');
  const args = ['dev', '--dir', dir, '--port', String(await freePort()), '--ready-file', readyFile];
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    detached: true, // Ctrl-C is for this process; that one is told to end
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
  };
  try {
    const ready = await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`godwit dev ended: ${said}`);
        return readJsonFile(readyFile, readiness);
      },
      { timeout: 150_000, what: 'godwit dev' },
    );
    return { ready, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
