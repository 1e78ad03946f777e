const handshake = 22;
const clientHello = 1;
const serverName = 0;
/** Browsers send 2 KB; nobody has use for more than this. */
const longest = 65_536;

/**
 * Whether the first message of a connection of TLS names a host (RFC 8446, section 4.1.2, and RFC
 * 6066, section 3). Bytes that are no such message name none.
 * @returns null when more has to come to tell
 */
export function namesHost(begun: Buffer): boolean | null {
  const message = messageIn(begun);
  if (message === null || (message.length >= 1 && message[0] !== clientHello)) return false;
  if (message.length < 4) return null;
  const length = message.readUIntBE(1, 3);
  if (length > longest) return false;
  if (message.length < 4 + length) return null;
  try {
    return hasServerName(message.subarray(4, 4 + length));
  } catch (error) {
    if (error instanceof RangeError) return false; // a length leads out of it
    throw error;
  }
}

/** What has come of the message, without the records that it came in; null when these are none. */
function messageIn(begun: Buffer): Buffer | null {
  const pieces: Buffer[] = [];
  for (let at = 0; at < begun.length; ) {
    if (begun[at] !== handshake) return pieces.length > 0 ? Buffer.concat(pieces) : null;
    if (begun.length < at + 5) break;
    const length = begun.readUInt16BE(at + 3);
    if (length === 0) return null;
    pieces.push(begun.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  return Buffer.concat(pieces);
}

function hasServerName(hello: Buffer): boolean {
  let at = 2 + 32; // version, random
  at += 1 + hello.readUInt8(at); // session
  at += 2 + hello.readUInt16BE(at); // ciphers
  at += 1 + hello.readUInt8(at); // compressions
  if (at === hello.length) return false;
  for (at += 2; at < hello.length; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === serverName) return true;
  }
  return false;
}
