import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Has the server read a request once more, without its offer to change the protocol. */
export function readAgain(
  server: Server,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const lines = [`${incoming.method} ${incoming.url} HTTP/${incoming.httpVersion}`];
  for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = incoming.rawHeaders.slice(at, at + 2);
    if (!['connection', 'upgrade', 'http2-settings'].includes(name.toLowerCase())) {
      lines.push(`${name}: ${value}`);
    }
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}
