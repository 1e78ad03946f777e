import { Agent } from 'node:http';
import { Socket } from 'node:net';

/**
 * Goes on reading when nothing more can be written: whoever breaks off while it is being sent
 * something may have answered before. How the reading ends tells.
 */
class PatientSocket extends Socket {
  override _write(piece: unknown, encoding: BufferEncoding, done: Done): void {
    super._write(piece, encoding, unlessBroken(done));
  }

  override _writev(pieces: { chunk: unknown; encoding: BufferEncoding }[], done: Done): void {
    super._writev?.(pieces, unlessBroken(done));
  }
}

type Done = (error?: Error | null) => void;

function unlessBroken(done: Done): Done {
  return (error) => {
    const code = error && 'code' in error ? error.code : null;
    if (code !== 'EPIPE' && code !== 'ECONNRESET') done(error);
  };
}

/** Opens a connection for each request. */
export class PatientAgent extends Agent {
  override createConnection({
    host,
    port,
  }: {
    host?: string | null;
    port?: number | string | null;
  }) {
    return new PatientSocket()
      .setNoDelay()
      .connect({ host: host ?? 'localhost', port: Number(port) });
  }
}
