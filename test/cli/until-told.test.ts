import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const compiled = (file: string) => join(import.meta.dirname, '../../dist', file);

it('a process that is told to end while it writes files ends in order', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'godwit-told-'));
  const program = `
    const { untilToldToEnd } = await import('${compiled('cli/until-told.js')}');
    const { writeJsonFile } = await import('${compiled('shared/json-file.js')}');
    const told = untilToldToEnd().then(() => true);
    const soon = () => new Promise((resolve) => setImmediate(() => resolve(false)));
    console.log('writing');
    do await writeJsonFile('${join(dir, 'file.json')}', {});
    while (!(await Promise.race([told, soon()])));
    console.log('in order');
  `;
  try {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (text.includes('writing')) child.kill('SIGTERM');
    });
    const [code] = await once(child, 'close');
    expect({ code, said }).toEqual({ code: 0, said: 'writing\nin order\n' });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
