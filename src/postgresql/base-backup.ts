import type { Duplex } from 'node:stream';
import pg from 'pg';
import type { Account } from '../shared/account.js';
import type { CopyProgress } from '../shared/copy-progress.js';
import type { Pace } from '../shared/pace.js';
import { checkManifest } from './backup-manifest.js';
import { type CopyDataTakers, CopyDataTap } from './copy-data.js';
import { type Remote, remoteOptions } from './remote.js';
import { type Sender, Unpacking } from './unpack.js';

/** Where a copy goes, and how fast. */
export interface CopyInto {
  /** Empty. */
  readonly folder: string;
  /** Whom the files are for; null for whoever runs this. */
  readonly owner: Account | null;
  readonly pace: Pace;
}

/**
 * Copies a running cluster into an empty folder with `BASE_BACKUP`, over the streaming replication
 * protocol (PostgreSQL documentation, chapter "Frontend/Backend Protocol", messages CopyData of
 * types n, m, d, p; from version 15). The write-ahead log is left out: a slot must keep it.
 * What was written is what was sent: every file is checked as it comes.
 * @param onProgress called often, with bytes
 * @throws when the connection breaks, the server refuses, a file arrived damaged, or `signal` fires
 */
export async function copyCluster(
  source: Remote,
  { folder, owner, pace }: CopyInto,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const client = new pg.Client(remoteOptions(source, { replication: 'true' }));
  const broken = new Promise<never>((_, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('The connection to the primary ended.')));
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  broken.catch(() => undefined); // whoever waits on the race below hears of it
  const valve = new Valve(() => client.connection.stream); // which becomes another one with TLS
  const unpacking = new Unpacking(folder, owner, valve);
  try {
    await Promise.race([client.connect(), broken]);
    const backup = new BaseBackup(unpacking, onProgress);
    tap(client.connection.stream, (piece, isFirst) => backup.take(piece, isFirst));
    client.connection.stream.on('data', ({ length }: Buffer) => {
      if (pace.pass(length) > 0) valve.pauseUntil(pace.ready());
    });
    client.query(backup);
    await Promise.race([backup.finished, unpacking.finished.then(() => backup.finished), broken]);
    await unpacking.finished;
    checkManifest(backup.manifest, unpacking.files);
  } finally {
    // Not end(): it would wait for a copy that was given up half-way.
    client.connection.stream.destroy();
    await unpacking.giveUp();
  }
}

/** What can be paused by several at once, and goes on when all of them want it to. */
class Valve implements Sender {
  readonly #stream: () => Duplex;
  #pauses = 0;

  constructor(stream: () => Duplex) {
    this.#stream = stream;
  }

  pause(): void {
    this.#pauses += 1;
    this.#stream().pause();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#stream().resume();
  }

  pauseUntil(ready: Promise<void>): void {
    this.pause();
    ready.then(() => this.resume());
  }
}

/** Has the content of what is copied go past the parser of `pg`, which gets everything else. */
function tap(stream: Duplex, content: CopyDataTakers['content']): void {
  const parsers = stream.listeners('data');
  const others = (bytes: Buffer) => {
    for (const parse of parsers) parse(bytes);
  };
  const tap = new CopyDataTap({ content, others });
  stream.removeAllListeners('data').on('data', (bytes: Buffer) => tap.take(bytes));
}

const command =
  "BASE_BACKUP (LABEL 'godwit', PROGRESS true, CHECKPOINT 'fast', WAIT false, WAL false, MANIFEST 'yes', MANIFEST_CHECKSUMS 'CRC32C')";

/** First bytes of the messages that carry a backup: n, m and d. */
const kinds = { archive: 0x6e, manifest: 0x6d, piece: 0x64 };

class BaseBackup implements pg.Submittable {
  /** Resolves when the primary has sent everything. */
  readonly finished: Promise<void>;
  readonly #unpacking: Unpacking;
  readonly #onProgress: (progress: CopyProgress) => void;
  #isPiece = false;
  /** What the pieces belong to. */
  #into: 'archive' | 'manifest' = 'archive';
  readonly #manifest: Buffer[] = [];
  #copied = 0;
  #total = 0;
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(unpacking: Unpacking, onProgress: (progress: CopyProgress) => void) {
    this.#unpacking = unpacking;
    this.#onProgress = onProgress;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** What the server says that it sent. */
  get manifest(): Buffer {
    return Buffer.concat(this.#manifest);
  }

  submit(connection: pg.Connection): void {
    connection.query(command);
  }

  handleRowDescription(): void {
    // The rows are recognised by their own length.
  }

  /** The tablespaces: oid, location, estimated size in kB. The other rows are (LSN, timeline). */
  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    const [oid, , size] = fields;
    if (fields.length !== 3) return;
    if (oid !== null) this.#reject(new Error('A cluster with tablespaces cannot be copied.'));
    this.#total += Number(size) * 1024;
  }

  take(piece: Buffer, isFirst: boolean): void {
    // 'n' names the one archive there is, 'm' begins its manifest; 'p' counts what we count.
    if (isFirst) {
      this.#isPiece = piece[0] === kinds.piece;
      if (piece[0] === kinds.archive) this.#into = 'archive';
      if (piece[0] === kinds.manifest) this.#into = 'manifest';
    }
    if (!this.#isPiece) return;
    const content = isFirst ? piece.subarray(1) : piece;
    if (this.#into === 'manifest') {
      this.#manifest.push(Buffer.from(content));
      return;
    }
    this.#unpacking.take(content);
    this.#copied += content.length;
    this.#onProgress({ copied: this.#copied, total: Math.max(this.#total, this.#copied) });
  }

  handleCommandComplete(): void {
    // Several results end; readiness for the next query comes once.
  }

  handleReadyForQuery(): void {
    this.#unpacking.end();
    this.#resolve();
  }

  handleError(error: Error): void {
    this.#reject(error);
  }
}
