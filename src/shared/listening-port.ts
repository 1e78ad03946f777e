import type { Server } from 'node:net';

/** The TCP port that a server listens on. @throws when it does not listen on one */
export function listeningPort(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('It does not listen yet.');
  return address.port;
}
