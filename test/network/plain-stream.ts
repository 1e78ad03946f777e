import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Network } from './network.js';

const port = 9_000;

const sends = `
  const [host, port, size] = process.argv.slice(1);
  const { createReadStream } = require('node:fs');
  const server = require('node:net').createServer((socket) => {
    createReadStream('/dev/zero', { end: Number(size) - 1, highWaterMark: 262144 }).pipe(socket);
  });
  server.listen(Number(port), host, () => process.stdout.write('ready'));`;

const receives = `
  const [host, port] = process.argv.slice(1);
  const began = performance.now();
  const socket = require('node:net').connect(Number(port), host).resume();
  socket.once('end', () => process.stdout.write(String(performance.now() - began)));`;

/** What the line is capable of: one TCP stream of so many bytes, from `here` to `there`. @returns milliseconds */
export async function plainStream({ places }: Network, size: number): Promise<number> {
  const { here, there } = places;
  const node = ({ within }: typeof here, program: string, ...words: string[]) => {
    const [command = '', ...rest] = [...within, process.execPath, '-e', program, ...words];
    return spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  };
  const sender = node(here, sends, here.host, `${port}`, `${size}`);
  const ended = once(sender, 'exit');
  try {
    await once(sender.stdout, 'data');
    return Number(await text(node(there, receives, here.host, `${port}`).stdout));
  } finally {
    sender.kill();
    await ended;
  }
}
