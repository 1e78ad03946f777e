import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { drain } from './drain.js';
import { responseHeaders, trailersOf } from './headers.js';
import {
  type Answer,
  type Call,
  type Connection,
  type Head,
  type Inbound,
  mayHaveContent,
} from './inbound.js';
import { requestTarget } from './request-target.js';

/** A request of HTTP/1. What its target names is the host, whatever its Host header says. */
export class Http1Inbound implements Inbound {
  readonly url: string;
  readonly host: string | undefined;
  /** Whether what it asks for is no target; `url` is as it came then. */
  readonly isMistaken: boolean;
  protected readonly incoming: IncomingMessage;

  constructor(incoming: IncomingMessage) {
    const { method = '', url = '', headers } = incoming;
    const target = requestTarget(method, url);
    this.url = target?.url ?? url;
    this.host = target?.host ?? headers.host;
    this.isMistaken = target === null;
    this.incoming = incoming;
  }

  get method(): string {
    return this.incoming.method ?? '';
  }

  get version(): string {
    return this.incoming.httpVersion;
  }

  get headers() {
    return this.incoming.headersDistinct;
  }

  get hasBody(): boolean {
    return this.isChunked || Number(this.incoming.headers['content-length'] ?? 0) > 0;
  }

  get isChunked(): boolean {
    return this.incoming.headers['transfer-encoding'] !== undefined;
  }

  get connection(): Connection {
    const { socket } = this.incoming;
    const isSecure = socket instanceof TLSSocket;
    return { isSecure, address: socket.remoteAddress ?? '', port: socket.localPort };
  }
}

/** A request of HTTP/1, and its answer. */
export class Http1Call extends Http1Inbound implements Call {
  readonly #outgoing: ServerResponse;
  bytes = 0;

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    super(incoming);
    this.#outgoing = outgoing;
    incoming.on('error', () => undefined); // the client is gone; `outgoing` closes with it
  }

  get body(): IncomingMessage {
    return this.incoming;
  }

  get expectsContinue(): boolean {
    return this.incoming.headers.expect?.toLowerCase() === '100-continue';
  }

  get trailers(): NodeJS.Dict<string> {
    return this.incoming.trailers;
  }

  get status(): number | null {
    return this.#outgoing.headersSent ? this.#outgoing.statusCode : null;
  }

  get isAnswered(): boolean {
    return this.#outgoing.writableEnded;
  }

  writeContinue(): void {
    this.#outgoing.writeContinue();
  }

  pass({ status, message, headers }: Head, { answer, content }: Answer, ended: () => void): void {
    const outgoing = this.#outgoing;
    const hasContent = mayHaveContent(this.method, status);
    const takesChunks = hasContent && this.version !== '1.0';
    outgoing.writeHead(status, message, [...responseHeaders(answer, takesChunks), ...headers]);
    // The head goes at once, and byte by byte as it came, which flushHeaders() would not do.
    if (hasContent) outgoing.write(Buffer.alloc(0));
    content.on('data', (piece: Buffer) => {
      this.bytes += piece.length;
    });
    content.once('end', () => {
      if (answer.rawTrailers.length > 0) outgoing.addTrailers(trailersOf(answer.trailers));
    });
    // An answer cut short is cut short for the client too: pipeline destroys what it cannot end.
    pipeline(content, outgoing, ended);
  }

  reply({ status, headers }: Omit<Head, 'message'>, text: string): void {
    const content = Buffer.from(`${text}\n`);
    this.bytes = content.length;
    // A client that has not sent what it owes may not do so any more.
    const ends = status === 408 || (this.expectsContinue && !this.incoming.complete);
    drain(this.incoming, () => this.incoming.destroy());
    this.#outgoing.writeHead(status, [
      ...['content-type', 'text/plain; charset=utf-8', 'content-length', String(content.length)],
      ...headers,
      ...(ends ? ['connection', 'close'] : []),
    ]);
    this.#outgoing.end(content);
  }

  destroy(): void {
    this.#outgoing.destroy();
    this.incoming.destroy(); // once answered, it alone has the connection
  }

  onceOver(tell: () => void): () => void {
    this.#outgoing.once('close', tell);
    return () => this.#outgoing.off('close', tell);
  }
}
