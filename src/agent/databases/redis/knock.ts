import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { notAdmitted } from './door.js';
import type { Endpoint } from './record.js';

/** How long a primary may take to answer, in milliseconds. */
const patience = 3_000;

/**
 * Tries whether a primary lets a follower in, which Redis itself tells nobody.
 * @returns why it does not, for people; null when it does, or is not to be reached now
 */
export async function refusalOf(endpoint: Endpoint): Promise<string | null> {
  const { host, port, primaryCertificate, certificate, privateKey, user, password } = endpoint;
  const socket = connect({
    ...{ host, port, ca: primaryCertificate, cert: certificate, key: privateKey },
    checkServerIdentity: () => undefined, // it is the certificate that is pinned, not a name
  });
  socket.setTimeout(patience, () => socket.destroy(new Error('it does not answer')));
  try {
    await once(socket, 'secureConnect');
    socket.write(`AUTH ${user} ${password}\r\n`);
    const said = await firstWords(socket);
    const isRefused = said === notAdmitted || said.startsWith('-WRONGPASS');
    return isRefused ? 'its primary does not let it in any more' : null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    // Other errors are of a way or a primary that may come back.
    return /CERT/.test(code) ? 'what answers at the address of its primary is another one' : null;
  } finally {
    socket.destroy();
  }
}

async function firstWords(socket: TLSSocket): Promise<string> {
  for await (const words of socket.setEncoding('utf8')) return String(words);
  return '';
}
