import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';

/** A request as it comes in, whatever version of HTTP its client speaks. */
export interface Inbound {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  /** Of HTTP, such as `1.1`. */
  readonly version: string;
  /** As the client names it, maybe with a port. */
  readonly host: string | undefined;
  /** By lower-case names, each with its values as they came. */
  readonly headers: Readonly<Record<string, readonly string[] | undefined>>;
  readonly hasBody: boolean;
  /** Whether its content comes without a length, so that trailers may follow it. */
  readonly isChunked: boolean;
  readonly connection: Connection;
}

/** Whether a request may be sent twice when nobody knows what became of it (RFC 9110, section 9.2.2). */
export function isRepeatable({ method, hasBody }: Inbound): boolean {
  return ['GET', 'HEAD', 'OPTIONS'].includes(method) && !hasBody;
}

/** What a request came by. */
export interface Connection {
  readonly isSecure: boolean;
  /** Of the client. */
  readonly address: string;
  /** That the client reached. */
  readonly port: number | undefined;
}

/** What a request is answered before its content. Names and values of the headers in turn. */
export interface Head {
  readonly status: number;
  readonly message: string;
  readonly headers: readonly string[];
}

/** What an app, or another edge, answers. */
export interface Answer {
  readonly answer: IncomingMessage;
  readonly content: Readable;
}

/** A request, and the way to answer it. */
export interface Call extends Inbound {
  /** Its content; whoever reads it has the client send it. */
  readonly body: Readable;
  /** Whether the client waits to be asked for the content. */
  readonly expectsContinue: boolean;
  /** There once `body` has ended. */
  readonly trailers: NodeJS.Dict<string>;
  /** What it was answered; null before it is. */
  readonly status: number | null;
  /** Bytes of content that it was answered. */
  readonly bytes: number;
  /** Whether all of the answer has been written. */
  readonly isAnswered: boolean;
  /** Asks the client for the content. */
  writeContinue(): void;
  /**
   * Passes the answer of an app, or of another edge, on as it comes.
   * @param given.content of the answer; may end before that does
   * @param ended called when that has come to its end, whichever
   * @throws when there is no such status or header in HTTP; nothing is sent then
   */
  pass(head: Head, given: Answer, ended: () => void): void;
  /** Answers for itself; what the client may still be sending is dropped. */
  reply(head: Omit<Head, 'message'>, text: string): void;
  /** Breaks off. */
  destroy(): void;
  /** Calls back when it is over: answered, or given up by the client. @returns how not to be called */
  onceOver(tell: () => void): () => void;
}

/** Whether an answer to such a request has content, or a place for it. */
export function mayHaveContent(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 204 && status !== 304;
}
