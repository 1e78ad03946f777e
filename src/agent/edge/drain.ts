import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';

/**
 * Bytes that are taken from a client that has its answer, so that one upload more is not cut off
 * while the answer is on its way; and for how long, in milliseconds.
 */
const most = 64 * 1_024 * 1_024;
const longest = 10_000;

/**
 * Reads what a client sends although it has been answered: many look at the answer only when they
 * have sent everything, and what comes unread would have the kernel reset the connection, with
 * the answer (RFC 9112, section 9.6).
 * @param giveUp called when the client does not come to an end
 */
export function drain(body: Readable, giveUp: () => void): void {
  if (body.readableEnded || body.destroyed) return;
  let left = most;
  const timer = setTimeout(giveUp, longest);
  const leave = () => clearTimeout(timer);
  body.unpipe();
  body.once('end', leave).once('close', leave);
  body.on('data', (piece: Buffer) => {
    left -= piece.length;
    if (left < 0) giveUp();
  });
}

/** Has a connection that is to end with an answer, as Node.js ends it at once, end gently. */
export function closeGently(incoming: IncomingMessage): void {
  const { socket } = incoming;
  const close = () => Socket.prototype.destroySoon.call(socket);
  socket.destroySoon = () => {
    if (incoming.complete || socket.destroyed) return close();
    socket.end();
    incoming.once('end', close);
    drain(incoming, () => socket.destroy());
  };
}
