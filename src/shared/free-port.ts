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

/** For how long a port is kept for whoever was given it, in milliseconds: longer than a process may take to listen. */
const kept = 120_000;

/**
 * A TCP port of the loopback interface that nobody listens on, and that nobody else is given soon.
 *
 * @throws when there is none
 */
export async function freePort([from, beyond]: Ports = ownPorts): Promise<number> {
  const [count, first] = [beyond - from, randomInt(from, beyond)];
  for (let port = first; port < first + count; port += 1) {
    const inRange = port < beyond ? port : port - count;
    if ((await keep(inRange)) && (await isFree(inRange))) return inRange;
  }
  throw new Error(`Each port from ${from} to ${beyond - 1} is in use. End what listens there.`);
}

/**
 * Keeps a port from all others of this host that look for one, until it is listened on. By a name that only one
 * process has at a time, and that goes with it: an abstract Unix socket, see unix(7).
 *
 * @returns whether nobody else keeps it
 */
async function keep(port: number): Promise<boolean> {
  const name = createServer().listen(`\0godwit port ${port}`);
  try {
    await once(name, 'listening');
  } catch (error) {
    if (isInUse(error)) return false;
    throw error;
  }
  name.unref();
  setTimeout(() => name.close(), kept).unref();
  return true;
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

/** Whether somebody else listens where it was tried to. */
export function isInUse(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
