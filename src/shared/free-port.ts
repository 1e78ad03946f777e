import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A range of TCP ports: from, and up to but without. */
type Ports = readonly [from: number, beyond: number];

/** Below what systems give to outgoing connections, which would otherwise take a port that is kept. */
const ports: Ports = [20_000, 27_000];
/** Apart: a database keeps its port while it does not run. */
export const databasePorts: Ports = [27_000, 32_000];

/** A TCP port of the loopback interface that nobody listens on at the moment. */
export async function freePort([from, beyond]: Ports = ports): Promise<number> {
  for (;;) {
    const port = randomInt(from, beyond);
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a TCP port of the loopback interface, or of another address of this host. */
export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer().listen(port, host);
  try {
    await once(server, 'listening');
  } catch {
    return false; // in use
  }
  server.close();
  await once(server, 'close');
  return true;
}
