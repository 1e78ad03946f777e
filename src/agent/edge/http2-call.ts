import {
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { finished, pipeline } from 'node:stream';
import { drain } from './drain.js';
import { isHopByHop, responseHeaders, trailersOf } from './headers.js';
import { type Answer, type Call, type Connection, type Head, mayHaveContent } from './inbound.js';

/** A request of HTTP/2, which has a stream of its own. */
export class Http2Call implements Call {
  readonly method: string;
  readonly url: string;
  readonly version = '2.0';
  readonly host: string | undefined;
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly hasBody: boolean;
  readonly isChunked: boolean;
  readonly connection: Connection;
  trailers: NodeJS.Dict<string> = {};
  bytes = 0;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, given: IncomingHttpHeaders, connection: Connection) {
    this.#stream = stream;
    this.connection = connection;
    this.method = given[':method'] ?? '';
    this.url = given[':path'] ?? '';
    this.host = given[':authority'] ?? given.host;
    this.headers = plainHeaders(given);
    this.hasBody = !stream.endAfterHeaders;
    this.isChunked = this.hasBody && given['content-length'] === undefined;
    stream.on('error', () => undefined); // the client is gone; the stream closes with it
    stream.once('trailers', (trailers) => {
      const kept = Object.entries(plainHeaders(trailers)).map(([name, values]) => [
        name,
        values?.join(', '),
      ]);
      this.trailers = Object.fromEntries(kept);
    });
  }

  get body(): ServerHttp2Stream {
    return this.#stream;
  }

  get expectsContinue(): boolean {
    return this.headers['expect']?.[0]?.toLowerCase() === '100-continue';
  }

  get status(): number | null {
    const status = this.#stream.sentHeaders?.[':status'];
    return status === undefined ? null : Number(status);
  }

  get isAnswered(): boolean {
    return this.#stream.writableEnded;
  }

  writeContinue(): void {
    if (this.#isOpen) this.#stream.additionalHeaders({ ':status': 100 });
  }

  pass({ status, headers }: Head, { answer, content }: Answer, ended: () => void): void {
    const stream = this.#stream;
    if (status < 200 || status > 599) throw new RangeError(`${status} is no status of an answer`);
    const hasContent = mayHaveContent(this.method, status) && status !== 205;
    const waitForTrailers = hasContent && answer.headers['transfer-encoding'] !== undefined;
    const all = [...responseHeaders(answer, waitForTrailers), ...headers];
    stream.once('wantTrailers', () => {
      if (this.#isOpen) stream.sendTrailers(trailersOf(answer.trailers));
    });
    stream.respond(
      { ':status': status, ...fieldsOf(all) },
      { endStream: !hasContent, waitForTrailers },
    );
    if (!hasContent) {
      finished(content.resume(), ended);
      return;
    }
    content.on('data', (piece: Buffer) => {
      this.bytes += piece.length;
    });
    // An answer cut short is cut short for the client too: pipeline destroys what it cannot end.
    pipeline(content, stream, ended);
  }

  reply({ status, headers }: Omit<Head, 'message'>, text: string): void {
    const stream = this.#stream;
    if (!this.#isOpen) return;
    const content = Buffer.from(`${text}\n`);
    this.bytes = content.length;
    stream.respond({
      ':status': status,
      'content-type': 'text/plain; charset=utf-8',
      ...fieldsOf(headers),
    });
    drain(stream, () => stream.close(constants.NGHTTP2_NO_ERROR));
    stream.end(content);
  }

  destroy(): void {
    const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR } = constants;
    this.#stream.close(this.isAnswered ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR);
  }

  onceOver(tell: () => void): () => void {
    this.#stream.once('close', tell);
    return () => this.#stream.off('close', tell);
  }

  /** Whether the client still waits for something. */
  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

/** Without what HTTP/2 says of the request itself. Node.js has joined what came in several fields. */
function plainHeaders(given: IncomingHttpHeaders): Record<string, readonly string[] | undefined> {
  const plain: Record<string, readonly string[]> = {};
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith(':') || value === undefined) continue;
    plain[name] = typeof value === 'string' ? [value] : value;
  }
  return plain;
}

/** Headers as HTTP/2 has them: fields of one name are one, but for cookies, which cannot be joined. */
function fieldsOf(headers: readonly string[]): OutgoingHttpHeaders {
  const cookies: string[] = [];
  const fields: Record<string, string> = {};
  for (let at = 0; at < headers.length; at += 2) {
    const [name = '', value = ''] = headers.slice(at, at + 2);
    const key = name.toLowerCase();
    if (isHopByHop(key)) continue;
    if (key === 'set-cookie') cookies.push(value);
    else fields[key] = fields[key] === undefined ? value : `${fields[key]}, ${value}`;
  }
  return cookies.length > 0 ? { ...fields, 'set-cookie': cookies } : fields;
}
