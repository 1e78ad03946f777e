import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** How long the end of an event is waited for, in milliseconds. */
const patience = 250;

/** A line's end and an empty line, which ends an event (HTML, section 9.2.5). */
const blankLine = /(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)/g;
const longestBlankLine = 4;

/** Whether an answer goes on for as long as its client wants: events, and nothing says how many. */
export function isEventStream({ headers }: IncomingMessage): boolean {
  const isOfEvents = headers['content-type']?.toLowerCase().startsWith('text/event-stream');
  return isOfEvents === true && headers['content-length'] === undefined;
}

/** The events of an answer, as they come. Can be ended between two of them. */
export class EventStream extends Readable {
  readonly #source: IncomingMessage;
  /** Where events end cannot be seen in what is compressed. */
  readonly #isCompressed: boolean;
  /** The last that was passed on. */
  #tail = '\n\n';
  #isEnding = false;
  #isOver = false;
  #over: () => void = () => undefined;

  constructor(source: IncomingMessage) {
    super();
    this.#source = source;
    this.#isCompressed = (source.headers['content-encoding'] ?? 'identity') !== 'identity';
    source.on('data', (piece: Buffer) => this.#pass(piece));
    source.once('end', () => this.#finish());
    source.on('error', (error) => {
      if (!this.#isOver) this.destroy(error);
    });
  }

  /** Whether nothing more of the source is passed on. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Ends when the event that is under way has, or after a moment. */
  async end(): Promise<void> {
    if (this.#isOver) return;
    if (this.#isCompressed || endOfEvents(this.#tail) === this.#tail.length) return this.#finish();
    this.#isEnding = true;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#finish(), patience);
      this.#over = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  override _read(): void {
    this.#source.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#isOver = true;
    this.#over();
    done(error);
  }

  #pass(piece: Buffer): void {
    if (this.#isOver) return;
    const text = this.#tail + piece.toString('latin1');
    this.#tail = text.slice(-longestBlankLine);
    const end = this.#isEnding ? endOfEvents(text) - (text.length - piece.length) : 0;
    if (!this.push(end > 0 ? piece.subarray(0, end) : piece)) this.#source.pause();
    if (end > 0) this.#finish();
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.push(null);
    this.#over();
  }
}

/** Where the last event ends that is whole; 0 when none is. */
function endOfEvents(text: string): number {
  let end = 0;
  for (const { index, 0: found } of text.matchAll(blankLine)) end = index + found.length;
  return end;
}
