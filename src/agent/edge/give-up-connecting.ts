import type { Socket } from 'node:net';

/**
 * Gives a connection up that is not there after `patience` ms. Where the network is cut, the kernel
 * would go on for minutes, and look ever less often whether it is back.
 */
export function giveUpConnecting(socket: Socket, patience: number): void {
  const timer = setTimeout(() => {
    socket.destroy(new Error(`no connection after ${patience} ms`));
  }, patience);
  socket.once('connect', () => clearTimeout(timer));
  socket.once('close', () => clearTimeout(timer));
}
