import { type Duplex, pipeline } from 'node:stream';
import type { LongLived, Sides } from './long-lived.js';

/** How long both sides may take to be gone, in milliseconds. */
const patience = 1_000;

/** Passes both directions of a connection on, whatever they mean. */
export class PlainRelay implements LongLived {
  readonly endsAt = 'drain';
  readonly #sides: readonly Duplex[];

  constructor({ client, app, sent, count }: Sides) {
    this.#sides = [client, app];
    client.write(sent.byApp);
    count(sent.byApp.length);
    app.write(sent.byClient);
    app.on('data', (piece: Buffer) => count(piece.length));
    pipeline(client, app, client, () => app.destroy());
  }

  async end(): Promise<void> {
    for (const side of this.#sides) {
      side.end();
      const timer = setTimeout(() => side.destroy(), patience);
      side.once('close', () => clearTimeout(timer));
    }
  }
}
