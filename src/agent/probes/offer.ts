import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pipeline, Readable } from 'node:stream';
import { createServer } from 'node:tls';
import type { ProbeOffer } from '../../region/model.js';
import { databasePorts, freePort } from '../../shared/free-port.js';
import { atPace, Pace, type Rate } from '../../shared/pace.js';
import { createCertificate } from '../../shared/self-signed.js';
import { comesFrom, type Networks } from '../networks.js';

/** How long an offer stands, in milliseconds. */
const patience = 10_000;

/**
 * Listens as a database of this host would (on a port of theirs, over TLS), and sends as fast as one may be copied
 * to whoever connects from one of the networks. Ends by itself.
 */
export async function offerProbe(host: string, from: Networks, rate: Rate): Promise<ProbeOffer> {
  const port = await freePort(databasePorts);
  const { certificate, privateKey } = await createCertificate('probe');
  const server = createServer({ cert: certificate, key: privateKey }, (socket) => {
    const paced = atPace(new Pace(rate));
    pipeline(Readable.from(endlessly()), paced, socket, () => socket.destroy()); // ends when the other side does
  });
  server.on('connection', (socket) => {
    if (!comesFrom(socket.remoteAddress, from)) socket.destroy();
  });
  server.on('tlsClientError', () => undefined); // whoever it was, it was not who was asked
  server.listen(port, host);
  await once(server, 'listening');
  setTimeout(() => server.close(), patience).unref();
  return { address: `${host}:${port}`, certificate };
}

function* endlessly(): Generator<Buffer> {
  const block = randomBytes(64 * 1024);
  for (const end = Date.now() + patience; Date.now() < end; ) yield block;
}
