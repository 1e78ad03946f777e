import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** A range of TCP ports: from, and up to but without. */
type Ports = readonly [from: number, beyond: number];

// Apart from each other, since some are kept by what does not run at the moment; and all of them below what
// systems give to outgoing connections.
/** Of an application's processes, which get another one at each start. */
export const processPorts: Ports = [20_000, 25_000];
/** Of agents and control planes, which everybody knows by them. */
const ownPorts: Ports = [25_000, 27_000];
/** Of databases. */
export const databasePorts: Ports = [27_000, 32_000];

/** A TCP port of the loopback interface that nobody listens on at the moment. */
export async function freePort([from, beyond]: Ports = ownPorts): Promise<number> {
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
