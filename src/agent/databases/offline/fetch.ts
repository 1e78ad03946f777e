import { chown, link, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Agent, type Dispatcher, request } from 'undici';
import type { Account } from '../../../shared/account.js';
import type { CopyProgress } from '../../../shared/copy-progress.js';
import { Refusal } from '../../../shared/errors.js';
import { writeContents } from './contents.js';
import { type Inventory, inventory, type Order, type Part } from './door.js';
import { compareFiles, type FileEntry, type Lasts, listFolder, sizeOf } from './listing.js';
import type { Endpoint } from './record.js';

/** How long a primary's host may say nothing, in milliseconds. */
const silence = 60_000;

/** Where a copy goes, and what is there that need not be fetched. */
export interface FetchInto {
  /** Comes to hold what the primary has; what an earlier attempt left there is made use of. */
  readonly folder: string;
  /** An earlier copy, of which files that last are linked to. */
  readonly earlier: string;
  readonly lasts: Lasts;
  /** Whom the files are for; null for whoever runs this. */
  readonly owner: Account | null;
}

/** What a copy came to. */
export type Fetched = Pick<Inventory, 'position' | 'rest'>;

/**
 * Brings a folder to hold a part of what the primary behind an endpoint has, and has the disk keep it.
 * Files that last and are there already are not fetched again.
 * @param onProgress called often, with bytes
 * @throws Refusal as the primary said; when the connection breaks; when `signal` fires
 */
export async function fetchPart(
  endpoint: Endpoint,
  part: Part,
  into: FetchInto,
  onProgress: (progress: CopyProgress) => void,
  signal: AbortSignal,
): Promise<Fetched> {
  const primary = new Primary(endpoint, signal);
  try {
    const has = await primary.inventory(part);
    const total = sizeOf(has.files);
    const wanted = await reuse(has, into);
    let copied = total - sizeOf(wanted);
    onProgress({ copied, total });
    if (wanted.length > 0) {
      const order = { position: has.position, files: wanted };
      const contents = counted(await primary.contents(part, order), (count) => {
        copied += count;
        onProgress({ copied, total });
      });
      await writeContents(contents, into.folder, wanted, into.owner);
    }
    return has;
  } finally {
    await primary.leave();
  }
}

/** Leaves only what is right in the folder, and links to what is right in an earlier copy. @returns what is missing */
async function reuse(
  { folders, files }: Inventory,
  { folder, earlier, lasts, owner }: FetchInto,
): Promise<readonly FileEntry[]> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const found = await listFolder(folder, lasts);
  const here = compareFiles(files, found.files);
  for (const path of here.drop) await rm(join(folder, path));
  const there = compareFiles(here.fetch, (await listFolder(earlier, lasts)).files);
  const needed = new Set(['.', ...folders, ...files.map(({ path }) => dirname(path))]);
  for (const path of needed) needed.add(dirname(path)); // what is added is come to as well
  for (const path of found.folders.filter((one) => !needed.has(one))) {
    await rm(join(folder, path), { recursive: true, force: true });
  }
  for (const path of needed) await makeFolder(join(folder, path), owner);
  for (const { path } of there.keep) await link(join(earlier, path), join(folder, path));
  return there.fetch;
}

async function makeFolder(path: string, owner: Account | null): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  if (owner) await chown(path, owner.uid, owner.gid);
}

async function* counted(
  source: AsyncIterable<Buffer>,
  count: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    count(piece.length);
    yield piece;
  }
}

/** The primary behind an endpoint. */
class Primary {
  readonly #endpoint: Endpoint;
  readonly #dispatcher: Agent;
  readonly #signal: AbortSignal;

  constructor(endpoint: Endpoint, signal: AbortSignal) {
    this.#endpoint = endpoint;
    this.#signal = signal;
    this.#dispatcher = new Agent({
      headersTimeout: silence,
      bodyTimeout: silence,
      // The certificate itself is pinned, so the name in it says nothing more.
      connect: { ca: endpoint.certificate, checkServerIdentity: () => undefined, timeout: 10_000 },
    });
  }

  async inventory(part: Part): Promise<Inventory> {
    return inventory.parse(await (await this.#ask(part, { method: 'GET' })).json());
  }

  async contents(part: Part, order: Order): Promise<AsyncIterable<Buffer>> {
    return this.#ask(part, { method: 'POST', body: JSON.stringify(order) });
  }

  async leave(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #ask(part: Part, how: { method: Dispatcher.HttpMethod; body?: string }) {
    const { host, port, password } = this.#endpoint;
    const { statusCode, body } = await request(`https://${host}:${port}/${part}`, {
      ...how,
      headers: { authorization: `Bearer ${password}` },
      dispatcher: this.#dispatcher,
      signal: this.#signal,
    });
    if (statusCode === 200) return body;
    const said = await body.text();
    if (statusCode === 401) throw new Refusal('unauthorized', said);
    if (statusCode === 409) throw Refusal.conflict('fence', said);
    throw new Error(`The primary's host answered with ${statusCode}. Its agent's log says why.`);
  }
}
