import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { Agent, request } from 'undici';
import type { Neighbour, ProbeOffer, Sample } from '../../region/model.js';
import { messageOf } from '../../shared/errors.js';

/** For one answer of the other region, in milliseconds. */
const patience = 3_000;
// A request heeds its signal only once it is connected.
const dispatcher = new Agent({ connect: { timeout: patience } });

/** A sample ends after so many bytes, or so many milliseconds. */
const sampleEnds = { bytes: 64 * 1024 * 1024, after: 500 };

/** What the name of a sample begins with. */
const prefix = 'sample-';

/** Tries to reach another region in the ways that are named. @returns what failed, for people */
export async function reach({ agent, edge, data }: Neighbour): Promise<string[]> {
  const ways: { readonly what: string; try(): Promise<unknown> }[] = [];
  if (agent !== undefined) {
    const what = `its agent at ${agent}, from where builds are fetched`;
    ways.push({ what, try: () => asks(agent, 200) });
  }
  if (edge !== undefined) {
    const what = `its edge at ${edge}, where requests are forwarded to`;
    ways.push({ what, try: () => asks(edge, 404) });
  }
  if (data !== undefined) {
    const what = `the ports of its databases, such as ${data.address}`;
    ways.push({ what, try: async () => (await greet(data)).destroy() });
  }
  const failures = await Promise.all(
    ways.map(async (way) => {
      try {
        await way.try();
        return [];
      } catch (error) {
        return [`cannot reach ${way.what}: ${messageOf(error)}`];
      }
    }),
  );
  return failures.flat();
}

/** Copies a little from another region to a file in `dir`, which is removed again. */
export async function takeSample(offer: ProbeOffer, dir: string): Promise<Sample> {
  const path = join(dir, `${prefix}${randomUUID()}`);
  const file = await open(path, 'wx', 0o600);
  try {
    const socket = await greet(offer);
    const began = performance.now();
    const taken = () => performance.now() - began;
    let bytes = 0;
    for await (const chunk of socket) {
      await file.write(chunk);
      bytes += chunk.length;
      if (bytes >= sampleEnds.bytes || taken() >= sampleEnds.after) break; // destroys the socket
    }
    await file.datasync();
    return { bytes, milliseconds: taken() };
  } finally {
    await file.close();
    await rm(path);
  }
}

/** Removes samples that whoever took them did not come to remove. */
export async function forgetSamples(dir: string): Promise<void> {
  const left = (await readdir(dir)).filter((name) => name.startsWith(prefix));
  await Promise.all(left.map((name) => rm(join(dir, name), { force: true })));
}

/** An agent is healthy; an edge knows no app of a name that nobody has. */
async function asks(address: string, wanted: number): Promise<void> {
  const answer = await request(`http://${address}/healthz`, {
    headers: { host: 'probe.invalid' },
    dispatcher,
    signal: AbortSignal.timeout(patience),
  });
  await answer.body.dump();
  if (answer.statusCode !== wanted) throw new Error(`it answered with ${answer.statusCode}`);
}

async function greet({ address, certificate }: ProbeOffer): Promise<TLSSocket> {
  const colon = address.lastIndexOf(':');
  const socket = connect({
    host: address.slice(0, colon),
    port: Number(address.slice(colon + 1)),
    ca: certificate,
    checkServerIdentity: () => undefined, // it is the certificate that is pinned, not a name
  });
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(patience) });
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
