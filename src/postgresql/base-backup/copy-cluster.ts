import { fork } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Account } from '../../shared/account.js';
import type { CopyProgress } from '../../shared/copy-progress.js';
import type { Rate } from '../../shared/pace.js';
import type { Binaries } from '../binaries.js';
import type { Remote } from '../remote.js';
import { libpqOf } from './libpq.js';
import { checkManifest } from './manifest.js';
import type { Order, Report } from './messages.js';

/** Where a copy goes, and how fast. */
export interface CopyInto {
  /** Empty. */
  readonly folder: string;
  /** Whom the files are for; null for whoever runs this. */
  readonly owner: Account | null;
  /** Of the server that is to run on it. */
  readonly binaries: Binaries;
  readonly rate: Rate;
}

/** Compiled, whether or not this is: it is to begin at once. */
const program = fileURLToPath(
  new URL('../../../dist/postgresql/base-backup/receive.js', import.meta.url),
);

const report: z.ZodType<Report> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('progress'), copied: z.number(), total: z.number() }),
  z.object({
    kind: z.literal('whole'),
    manifest: z.string(),
    files: z.array(z.tuple([z.string(), z.object({ size: z.number(), checksum: z.number() })])),
  }),
  z.object({ kind: z.literal('failed'), message: z.string(), code: z.string().nullable() }),
]);

/** How often the process that receives is told how fast, in milliseconds. */
const rounds = 250;

/**
 * Copies a running cluster into an empty folder with `BASE_BACKUP`, over the streaming replication
 * protocol (PostgreSQL documentation, chapter "Frontend/Backend Protocol", messages CopyData of
 * types n, m, d, p; from version 15). The write-ahead log is left out: a slot must keep it.
 * What was written is what was sent: every file is checked as it comes.
 * @param onProgress called often, with bytes
 * @throws when the connection breaks, the server refuses, a file arrived damaged, or `signal` fires;
 *   nothing is written any more then
 */
export async function copyCluster(
  source: Remote,
  { folder, owner, binaries, rate }: CopyInto,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const child = fork(program, {
    cwd: folder,
    execArgv: [],
    detached: true, // Ctrl-C is for this process
    env: { HOME: '/nonexistent' }, // so that libpq finds nothing that it was not told
    stdio: ['pipe', 'ignore', 'pipe', 'ipc'],
  });
  child.stdin?.on('error', () => undefined); // it may end at any time, and says why elsewhere
  const order: Order = { library: libpqOf(binaries), source, owner, rate: rate() ?? 0 };
  child.stdin?.end(JSON.stringify(order));
  const keepTelling = setInterval(() => {
    if (child.connected) child.send(rate() ?? 0, () => undefined); // as above
  }, rounds);
  const breakOff = () => child.kill('SIGKILL');
  signal.addEventListener('abort', breakOff, { once: true });
  let last: Report | null = null;
  child.on('message', (message) => {
    // Another version, installed meanwhile, may tell otherwise: that is no copy, and no fault of who listens.
    last = report.safeParse(message).data ?? null;
    if (last?.kind === 'progress') onProgress({ copied: last.copied, total: last.total });
  });
  try {
    const said = child.stderr ? text(child.stderr) : Promise.resolve('');
    const how = await new Promise<string>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, killed) => resolve(String(killed ?? code)));
    });
    signal.throwIfAborted();
    conclude(last, `${how}. ${await said}`);
  } finally {
    clearInterval(keepTelling);
    signal.removeEventListener('abort', breakOff);
  }
}

/** @throws what was last told, unless it is that the copy is whole; when that is not what was sent */
function conclude(last: Report | null, how: string): void {
  if (last?.kind === 'whole') {
    checkManifest(last.manifest, new Map(last.files));
    return;
  }
  if (last?.kind !== 'failed') {
    throw new Error(`What receives the copy ended before its end, with ${how}`);
  }
  throw Object.assign(new Error(last.message), last.code === null ? {} : { code: last.code });
}
