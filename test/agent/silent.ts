import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { cleanUp } from '../clean-up.js';

/** A process that answers `here`, stopped, with as many connections as may wait for it: it is silent to others. */
export async function startSilent() {
  const script = `
    const server = require('node:http').createServer((_, response) => response.end('here'));
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));
  `;
  const silent = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanUp.push(() => silent.kill('SIGKILL'));
  const [line] = await once(silent.stdout, 'data');
  const port = Number(String(line));
  silent.kill('SIGSTOP');
  const fillers = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1'));
  cleanUp.push(() => fillers.map((filler) => filler.destroy()));
  await once(fillers[0] ?? silent, 'connect');
  return { silent, port };
}
