import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, WebSocket } from 'undici';
import { z } from 'zod';
import { messageOf } from '../../shared/errors.js';
import { type Door, wayTo } from './door.js';
import type { Kind } from './memory.js';

/**
 * What came of asking once. `refused`: answered with an error; `broken`: the connection broke while an answer was
 * awaited; `away`: nothing could be sent; `announced`: a WebSocket was told to come again.
 */
export type Outcome =
  | { readonly how: 'done' }
  | {
      readonly how: 'refused' | 'broken' | 'away';
      readonly what: string;
      /** When it came to that, in milliseconds since the epoch, if not just now. */
      readonly at?: number;
    }
  | { readonly how: 'announced' };

/** What is to be written, by whom. */
export interface Writing {
  readonly client: string;
  readonly number: number;
  /** The last number that this client knows to be safe. */
  readonly after: number | null;
  /** For uploads. */
  readonly content: Content | null;
}

/** A body in pieces. */
export interface Content {
  readonly pieces: readonly Buffer[];
  readonly digest: string;
}

/** A body of a few pieces that nobody has sent before. */
export function newContent(): Content {
  const pieces = Array.from({ length: 4 }, () => randomBytes(4 * 1_024));
  return { pieces, digest: createHash('sha256').update(Buffer.concat(pieces)).digest('hex') };
}

/** "Service restart", by which a server asks for the client to connect anew (RFC 6455, IANA's registry). */
const comeAgain = 1_012;
/** Between two pieces of an upload, in milliseconds. */
const betweenPieces = 5;

const lastShape = z.object({ last: z.number() });
const saidShape = z.object({ number: z.number() });

/** One client's connections to the application: one for requests, and one WebSocket if it writes by that. */
export class Line {
  readonly #door: Door;
  readonly #origin: string;
  readonly #way: Dispatcher;
  #socket: OpenSocket | null = null;

  constructor(door: Door) {
    this.#door = door;
    const { origin, way } = wayTo(door);
    this.#origin = origin;
    this.#way = way;
  }

  async close(): Promise<void> {
    await this.#socket?.close();
    await this.#way.close();
  }

  write(kind: Kind, { client, number, after, content }: Writing): Promise<Outcome> {
    const json = { 'content-type': 'application/json' };
    const body = JSON.stringify({ client, number, after });
    const query = after === null ? '' : `?after=${after}`;
    switch (kind) {
      case 'post':
        return this.#ask('POST', '/entries', { headers: json, body });
      case 'put':
        return this.#ask('PUT', `/entries/${client}/${number}${query}`, { headers: json, body });
      case 'upload':
        return this.#ask('POST', `/uploads/${client}/${number}${query}`, {
          headers: { 'x-digest': content?.digest ?? '' },
          body: Readable.from(inPieces(content?.pieces ?? [])),
        });
      case 'socket':
        return this.#tell(body, number);
    }
  }

  /** Reads the last number of a client. */
  async last(client: string): Promise<(Outcome & { how: 'done'; last: number }) | Failed> {
    let last = 0;
    const outcome = await this.#ask('GET', `/entries/${client}`, {}, (text) => {
      last = lastShape.parse(JSON.parse(text)).last;
    });
    if (outcome.how === 'done') return { how: 'done', last };
    if (outcome.how === 'announced') throw new Error('A request is not told to come again.');
    return outcome;
  }

  async #ask(
    method: 'GET' | 'POST' | 'PUT',
    path: string,
    { headers = {}, body }: { headers?: Record<string, string>; body?: string | Readable },
    read: (text: string) => void = () => undefined,
  ): Promise<Outcome> {
    let begun = '';
    try {
      const answer = await this.#way.request({
        ...{ origin: this.#origin, method, path, headers },
        body: body ?? null,
      });
      begun = `${answer.statusCode}, then `;
      const text = await answer.body.text();
      const what = `${method} ${path}: ${answer.statusCode} ${text.slice(0, 200)}`;
      if (answer.statusCode >= 300) return { how: 'refused', what };
      read(text);
      return { how: 'done' };
    } catch (error) {
      return {
        how: isUnsent(error) ? 'away' : 'broken',
        what: `${method} ${path}: ${begun}${inWords(error)}`,
      };
    }
  }

  async #tell(text: string, number: number): Promise<Outcome> {
    const closed = this.#socket?.closed ?? null;
    if (closed !== null) this.#socket = null;
    if (closed !== null && closed.code !== comeAgain) {
      const what = `WebSocket: closed with ${closed.code} while nothing was asked`;
      return { how: 'away', what, at: closed.at };
    }
    if (!this.#socket) {
      const opened = await OpenSocket.open(this.#door);
      if (opened.how !== 'done') return opened;
      this.#socket = opened.socket;
    }
    const answer = await this.#socket.ask(text);
    if ('code' in answer) {
      this.#socket = null;
      return answer.code === comeAgain
        ? { how: 'announced' }
        : { how: 'broken', what: `WebSocket: closed with ${answer.code}` };
    }
    const said = saidShape.safeParse(JSON.parse(answer.text));
    if (said.data?.number === number) return { how: 'done' };
    return { how: 'refused', what: `WebSocket: ${answer.text}` };
  }
}

type Failed = Extract<Outcome, { what: string }>;
type Opened = { how: 'done'; socket: OpenSocket } | Failed;
type Heard = { readonly text: string } | { readonly code: number };

/** A WebSocket that is asked one thing at a time. */
class OpenSocket {
  readonly #socket: WebSocket;
  #hear: ((heard: Heard) => void) | null = null;
  #closed: { readonly code: number; readonly at: number } | null = null;

  private constructor(socket: WebSocket, way: Dispatcher) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#heard({ text: String(data) }));
    socket.addEventListener('close', ({ code }) => {
      this.#closed = { code, at: Date.now() };
      this.#heard({ code });
      way.destroy();
    });
  }

  static async open(door: Door): Promise<Opened> {
    const { origin, way } = wayTo(door);
    const url = new URL('/socket', origin.replace(/^http/, 'ws')).href;
    const socket = new WebSocket(url, { dispatcher: way });
    const opened = await new Promise<Opened>((resolve) => {
      let why = '';
      socket.addEventListener('open', () =>
        resolve({ how: 'done', socket: new OpenSocket(socket, way) }),
      );
      socket.addEventListener('error', ({ error, message }) => {
        why = inWords(error ?? message);
      });
      socket.addEventListener('close', () =>
        resolve({ how: 'away', what: `WebSocket: not opened, ${why}` }),
      );
    });
    if (opened.how !== 'done') await way.destroy();
    return opened;
  }

  /** With which code it was closed, and when; null while it is open. */
  get closed(): { readonly code: number; readonly at: number } | null {
    return this.#closed;
  }

  ask(text: string): Promise<Heard> {
    return new Promise((resolve) => {
      this.#hear = resolve;
      this.#socket.send(text);
    });
  }

  async close(): Promise<void> {
    if (this.#closed !== null) return;
    const closed = new Promise((resolve) => this.#socket.addEventListener('close', resolve));
    this.#socket.close(1_000);
    await closed;
  }

  #heard(heard: Heard): void {
    const hear = this.#hear;
    this.#hear = null;
    hear?.(heard);
  }
}

async function* inPieces(pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const piece of pieces) {
    yield piece;
    await sleep(betweenPieces);
  }
}

/** Whether nobody can have heard of the request. */
function isUnsent(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return ['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'].includes(code);
}

function inWords(error: unknown): string {
  const cause =
    error instanceof Error && error.cause instanceof Error ? `, ${error.cause.message}` : '';
  return `${messageOf(error)}${cause}`;
}
