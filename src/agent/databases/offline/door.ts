import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { link, mkdir, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { isMissing, messageOf, Refusal, statusOf } from '../../../shared/errors.js';
import { atPace, Pace } from '../../../shared/pace.js';
import type { Certificate } from '../../../shared/self-signed.js';
import { comesFrom, notFromThere } from '../../networks.js';
import type { Place } from '../product.js';
import { readContents } from './contents.js';
import { fileEntry, type Lasts, type Listing, listFolder, listing, sizeOf } from './listing.js';
import type { Grant } from './record.js';

/** What a follower fetches: what can be had while the primary is up, or all of a fenced one. */
export type Part = 'ahead' | 'whole';

/** What a door says that it has. */
export const inventory = listing.extend({
  /** Where the primary's history ends; null as long as it goes on. */
  position: z.string().nullable(),
  /** Bytes that are not in the listing, and could be had of a fenced primary only. */
  rest: z.number(),
});
export type Inventory = z.infer<typeof inventory>;

/** What is wanted of it: the contents of files as it had them at that position. */
const order = z.object({
  position: z.string().nullable(),
  files: z.array(fileEntry.pick({ path: true, size: true })).readonly(),
});
export type Order = z.infer<typeof order>;

/** A list of files is never this long, in characters. */
const mostText = 256 * 1024 * 1024;

export interface DoorParts extends Place {
  readonly certificate: Certificate;
  /** Holds the data, and while somebody fetches, `ahead/`. */
  readonly folder: string;
  readonly lasts: Lasts;
  grants(): readonly Grant[];
  /** Where the history of the data ends; null unless the primary is fenced and writes no more. */
  position(): Promise<string | null>;
}

/**
 * Where followers of an offline database fetch its files: over TLS, each with a password of its own.
 * Files that last are linked to aside before they are sent, so that they are there as long as
 * somebody fetches them; the others are sent only of a fenced primary, whose folder stands still.
 */
export class Door {
  readonly #parts: DoorParts;
  #server: Server | null = null;
  /** Answers that are right only as long as the primary is fenced. */
  readonly #whole = new Set<ServerResponse>();

  constructor(parts: DoorParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#server !== null;
  }

  /** @throws when somebody else has the port */
  async open(port: number): Promise<void> {
    const { address, certificate } = this.#parts;
    const server = createServer(
      { cert: certificate.certificate, key: certificate.privateKey },
      (request, response) => void this.#answer(request, response),
    );
    server.listen(port, address);
    await once(server, 'listening');
    this.#server = server;
  }

  /** Lets nobody in any more, and ends what goes on. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server) {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    }
    // Also what was left by one that died; who was still being given something may add to it for a moment.
    await rm(this.#ahead, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  /** Breaks off what is right only as long as the primary is fenced. */
  endWhole(): void {
    for (const response of this.#whole) response.destroy();
  }

  get #data(): string {
    return join(this.#parts.folder, 'data');
  }

  get #ahead(): string {
    return join(this.#parts.folder, 'ahead');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const follower = this.#follower(request);
      const part = partOf(request.url);
      if (part === 'whole') {
        this.#whole.add(response);
        response.once('close', () => this.#whole.delete(response));
      }
      const position = part === 'whole' ? await this.#fenced() : null;
      const aside = join(this.#ahead, follower);
      if (request.method === 'GET') {
        const had = part === 'whole' ? await this.#all(position) : await this.#linkAhead(aside);
        return void response.end(JSON.stringify(had));
      }
      const wanted = await readOrder(request);
      if (wanted.position !== position) throw Refusal.conflict('fence', 'It was fenced anew.');
      const contents = readContents(part === 'whole' ? this.#data : aside, wanted.files);
      // Once the primary is fenced nobody suffers, and requests wait for it.
      const rate = part === 'whole' ? undefined : this.#parts.copyRate;
      await pipeline(contents, atPace(new Pace(rate)), response);
      if (part === 'ahead') await rm(aside, { recursive: true, force: true });
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'a follower was not given what it asked for');
      // What was begun must not look whole.
      if (response.headersSent) return void response.destroy();
      response.statusCode = error instanceof Refusal ? statusOf[error.kind] : 500;
      response.end(error instanceof Refusal ? messageOf(error) : '');
    }
  }

  /** @throws Refusal `unauthorized` */
  #follower({ headers, socket }: IncomingMessage): string {
    const shown = digest(headers.authorization ?? '');
    const grant = this.#parts
      .grants()
      .find(({ password }) => timingSafeEqual(digest(`Bearer ${password}`), shown));
    if (!grant) throw new Refusal('unauthorized', 'The primary does not know this follower.');
    if (comesFrom(socket.remoteAddress, grant.from)) return grant.follower;
    throw new Refusal('unauthorized', notFromThere(socket.remoteAddress));
  }

  async #fenced(): Promise<string> {
    const position = await this.#parts.position();
    if (position !== null) return position;
    throw Refusal.conflict('fence', 'The primary is not fenced: its files still change.');
  }

  async #all(position: string | null): Promise<Inventory> {
    return { position, rest: 0, ...(await listFolder(this.#data, this.#parts.lasts)) };
  }

  /** Links to all that lasts, in a folder of its own. */
  async #linkAhead(aside: string): Promise<Inventory> {
    await rm(aside, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
    await mkdir(aside, { recursive: true, mode: 0o700 });
    const { files } = await listFolder(this.#data, this.#parts.lasts);
    for (const { path } of files.filter(({ lasting }) => lasting)) {
      await mkdir(dirname(join(aside, path)), { recursive: true });
      await link(join(this.#data, path), join(aside, path)).catch((error) => {
        if (!isMissing(error)) throw error; // it has been replaced
      });
    }
    const linked: Listing = await listFolder(aside, this.#parts.lasts);
    const rest = sizeOf(files.filter(({ lasting }) => !lasting));
    return { position: null, rest, ...linked };
  }
}

function partOf(url: string | undefined): Part {
  if (url === '/ahead' || url === '/whole') return url === '/ahead' ? 'ahead' : 'whole';
  throw Refusal.notFound('Part', 'There is only /ahead and /whole.');
}

/** @throws Refusal `too-large`, `bad-request` */
async function readOrder(request: IncomingMessage): Promise<Order> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += piece;
    if (text.length > mostText) throw new Refusal('too-large', 'That is too much.');
  }
  const { success, data } = order.safeParse(parseJson(text));
  if (success) return data;
  const form = '{"position", "files"}; paths stay in their folder';
  throw new Refusal('bad-request', `An order is ${form}.`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no order either
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
