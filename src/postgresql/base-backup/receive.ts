/**
 * The program that receives a base backup, in a process of its own whose working directory is where
 * it goes: libpq blocks, and what works in the folder of a cluster is ended before another copy.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf } from '../../shared/errors.js';
import { Pace } from '../../shared/pace.js';
import { connectionString } from '../connection-string.js';
import { LibpqSession } from './libpq.js';
import type { Order, Report } from './messages.js';
import { Unpacking } from './unpack.js';

const command =
  "BASE_BACKUP (LABEL 'godwit', PROGRESS true, CHECKPOINT 'fast', WAIT false, WAL false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')";

/**
 * First bytes of the messages that carry a backup: m before its manifest, d before any content. Others name the one
 * archive that there is (n), and count what we count (p).
 */
const kinds = { manifest: 0x6d, content: 0x64 };

/** A primary that is gone without a word is noticed after two minutes and a half: a line that is cut may come back. */
const keepAlive = { keepalives_idle: 30, keepalives_interval: 10, keepalives_count: 12 };

/** How often it is told how far it is, in milliseconds; how fast it is to be is heard then, too. */
const rounds = 50;

/** Where the certificate is while it connects, in the folder that is still empty. */
const certificateFile = 'primary.crt';

function connect({ library, source }: Order): LibpqSession {
  const { host, port, user, password, certificate } = source;
  writeFileSync(certificateFile, certificate);
  try {
    return new LibpqSession(
      library,
      connectionString({
        ...{ host, port, user, password, replication: 'true', connect_timeout: 10 },
        ...{ sslmode: 'verify-ca', sslrootcert: certificateFile, gssencmode: 'disable' },
        ...keepAlive,
      }),
    );
  } finally {
    rmSync(certificateFile);
  }
}

/** Receives all of it. @yields now and then how far it is, and in the end what it has */
async function* receive(order: Order, pace: Pace): AsyncGenerator<Report, void> {
  const session = connect(order);
  const unpacking = new Unpacking('.', order.owner);
  const manifest: Buffer[] = [];
  let isManifest = false;
  let [copied, total, tellAt] = [0, 0, 0];
  for (const answer of session.ask(command)) {
    if ('row' in answer) {
      total += sizeOf(answer.row);
      continue;
    }
    const { piece } = answer;
    if (piece.kind === kinds.manifest) isManifest = true;
    if (piece.kind !== kinds.content) continue;
    if (isManifest) {
      const content = Buffer.alloc(piece.length - 1);
      piece.copy(content, 0, 1);
      manifest.push(content);
      continue;
    }
    unpacking.take(piece, 1);
    copied += piece.length - 1;
    if (pace.pass(piece.length) > 0) await pace.ready();
    if (performance.now() < tellAt) continue;
    tellAt = performance.now() + rounds;
    yield { kind: 'progress', copied, total: Math.max(total, copied) };
  }
  session.close();
  unpacking.end();
  yield {
    kind: 'whole',
    manifest: Buffer.concat(manifest).toString(),
    files: [...unpacking.files],
  };
}

/** Of a row that is about a tablespace: oid, location, estimated size in kB. The others are (LSN, timeline). */
function sizeOf(row: readonly string[]): number {
  const [oid, , size] = row;
  if (row.length !== 3) return 0;
  if (oid !== '') throw new Error('A cluster with tablespaces cannot be copied.');
  return Number(size) * 1024;
}

function tell(report: Report): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(report, undefined, undefined, () => resolve()); // for whom it is may be gone
  });
}

process.once('disconnect', () => process.exit(1)); // for whom it was is gone
const order: Order = JSON.parse(readFileSync(0, 'utf8'));
let { rate } = order;
process.on('message', (told) => {
  if (typeof told === 'number') rate = told;
});
try {
  for await (const report of receive(order, new Pace(() => rate || null))) await tell(report);
} catch (error) {
  const code = error instanceof Error && 'code' in error ? String(error.code) : null;
  await tell({ kind: 'failed', message: messageOf(error), code });
}
process.exit();
