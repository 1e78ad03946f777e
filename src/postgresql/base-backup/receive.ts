/**
 * The program that receives a base backup, in a process of its own whose working directory is where
 * it goes: libpq blocks, and what works in the folder of a cluster is ended before another copy.
 */
import { rmSync, writeFileSync } from 'node:fs';
import type { CopyProgress } from '../../shared/copy-progress.js';
import { messageOf } from '../../shared/errors.js';
import { Pace } from '../../shared/pace.js';
import { connectionString, type Remote } from '../remote.js';
import { LibpqSession } from './libpq.js';
import { checkManifest } from './manifest.js';
import { type Instruction, instruction, type Report } from './messages.js';
import { blockSize, Unpacking } from './unpack.js';

const command =
  "BASE_BACKUP (LABEL 'godwit', PROGRESS true, CHECKPOINT 'fast', WAIT false, WAL false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')";

/**
 * First bytes of the messages that carry a backup: m before its manifest, d before any content. Others name the one
 * archive that there is (n), and count what we count (p).
 */
const kinds = { manifest: 0x6d, content: 0x64 };

/** A primary that is gone without a word is noticed after two minutes and a half: a line that is cut may come back. */
const keepAlive = { keepalives_idle: 30, keepalives_interval: 10, keepalives_count: 12 };

/** Where the certificate is while it connects, in the folder that is still empty. */
const certificateFile = 'primary.crt';

type Order = Extract<Instruction, { readonly source: Remote }>;

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

/** Receives all of it. @yields bytes, each time that more has been written */
async function* receive(order: Order, pace: Pace): AsyncGenerator<CopyProgress, void> {
  const session = connect(order);
  const unpacking = new Unpacking('.', order.owner);
  const manifest: Buffer[] = [];
  let isManifest = false;
  let [copied, total, told] = [0, 0, 0];
  for (const answer of session.ask(command)) {
    if ('row' in answer) {
      total += sizeOf(answer.row);
      continue;
    }
    const [kind, content] = [answer.piece[0], answer.piece.subarray(1)];
    if (kind === kinds.manifest) isManifest = true;
    if (kind !== kinds.content) continue;
    if (isManifest) {
      manifest.push(Buffer.from(content));
      continue;
    }
    unpacking.take(content);
    copied += content.length;
    if (pace.pass(content.length) > 0) await pace.ready();
    if (copied - told < blockSize) continue;
    told = copied;
    yield { copied, total: Math.max(total, copied) };
  }
  session.close();
  unpacking.end();
  checkManifest(Buffer.concat(manifest), unpacking.files);
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

async function carryOut(order: Order): Promise<void> {
  let { rate } = order;
  process.on('message', (message) => {
    rate = instruction.parse(message).rate;
  });
  try {
    for await (const progress of receive(order, new Pace(() => rate))) {
      await tell({ kind: 'progress', ...progress });
    }
    await tell({ kind: 'whole' });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : null;
    await tell({ kind: 'failed', message: messageOf(error), code });
  }
  process.exit();
}

process.once('disconnect', () => process.exit(1)); // for whom it was is gone
process.once('message', (message) => {
  const order = instruction.parse(message);
  if (!('source' in order)) throw new Error('The first instruction does not say what to copy.');
  carryOut(order);
});
