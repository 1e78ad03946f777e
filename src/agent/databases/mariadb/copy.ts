import { open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Agent, request } from 'undici';
import type { CopyProgress } from '../../../shared/copy-progress.js';
import { authorization, sizeHeader } from './copy-door.js';
import type { Endpoint } from './record.js';
import type { MariadbServer } from './server.js';

/** How long the other side may keep silent, as when it waits for a long statement to end, in milliseconds. */
const patience = 600_000;

/** The primary does not let this follower in: trying again would not help. */
export class NotAdmitted extends Error {}

/**
 * Copies a running server into an empty folder: fetches it at the primary's door, unpacks it as it
 * comes, and puts in what was written meanwhile.
 * @param onProgress called often, with bytes
 * @returns the position that the copy is at
 * @throws when the connection breaks, the primary refuses, or `signal` fires; then the folder is no server's
 */
export async function copyServer(
  endpoint: Endpoint,
  server: MariadbServer,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<string> {
  await server.wipe();
  await server.makeDataFolder();
  const { host, copyPort, certificate, user, password } = endpoint;
  const dispatcher = new Agent({
    // The certificate itself is pinned, so the name in it says nothing more.
    connect: { ca: certificate, checkServerIdentity: () => undefined },
    bodyTimeout: patience,
  });
  try {
    const { statusCode, headers, body } = await request(`https://${host}:${copyPort}/`, {
      dispatcher,
      headers: { authorization: authorization(user, password) },
      signal,
    });
    if (statusCode !== 200) {
      await body.dump();
      throw new NotAdmitted(
        `The primary does not let its follower copy (${statusCode}), which may come from elsewhere than --origins of its region says.`,
      );
    }
    await unpack(server, body, Number(headers[sizeHeader]), onProgress, signal);
  } finally {
    await dispatcher.destroy();
  }
  signal.throwIfAborted();
  const kill = () => void server.killAll();
  signal.addEventListener('abort', kill, { once: true });
  await server.prepare().finally(() => signal.removeEventListener('abort', kill));
  const position = await positionOf(server.data);
  await tidy(server.data);
  await sync(server.data);
  signal.throwIfAborted();
  return position;
}

async function unpack(
  server: MariadbServer,
  body: Readable,
  size: number,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const unpacking = await server.unpacking();
  try {
    let copied = 0;
    const counting = new Transform({
      transform(chunk: Buffer, _, done) {
        copied += chunk.length;
        onProgress({ copied, total: Math.max(copied, size) });
        done(null, chunk);
      },
    });
    await pipeline(body, counting, unpacking.pipe, { signal });
    const code = await unpacking.ended;
    if (code !== 0) throw await server.failed('mbstream', code);
  } finally {
    unpacking.kill();
    await unpacking.ended;
  }
}

/** What `mariadb-backup` notes: file and offset of the history, and the position in every domain. */
async function positionOf(data: string): Promise<string> {
  const text = await readFile(join(data, 'xtrabackup_binlog_info'), 'utf8');
  const position = text.trim().split('\t')[2];
  if (!position) throw new Error('The copy does not tell its position in the history.');
  return position;
}

/** Removes what was for `mariadb-backup` alone. */
async function tidy(data: string): Promise<void> {
  const notes = (await readdir(data)).filter(
    (name) => name.startsWith('xtrabackup_') || name === 'backup-my.cnf',
  );
  await Promise.all(notes.map((name) => rm(join(data, name))));
}

/** Has the disk keep what is in a folder, and nothing else that waits to be. */
async function sync(folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  for (const path of [...paths, folder]) {
    const file = await open(path, 'r');
    await file.sync().finally(() => file.close());
  }
}
