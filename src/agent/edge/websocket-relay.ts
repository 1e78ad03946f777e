import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { LongLived, Sides } from './long-lived.js';
import { closeFrame } from './websocket-frames.js';
import { WebSocketPassage } from './websocket-passage.js';

/** Times in milliseconds. How long the end of a message is waited for that the client has begun. */
const messagePatience = 250;
/** How long the app may take to answer what it was sent, and to say that it closes. */
const appPatience = 2_000;
/** How long the client may take to say so, and again to be gone. */
const clientPatience = 5_000;

/**
 * A WebSocket between a client and the app. Can be ended so that both hear of it: the app is told
 * first, so that what it still answers arrives; what the client says later, the app has none of.
 */
export class WebSocketRelay implements LongLived {
  readonly endsAt = 'hold';
  readonly #client: Duplex;
  readonly #app: Duplex;
  readonly #toApp = new WebSocketPassage();
  readonly #toClient = new WebSocketPassage();
  #isEnding = false;

  constructor({ client, app, sent, count }: Sides) {
    this.#client = client;
    this.#app = app;
    this.#toClient.on('data', (piece: Buffer) => count(piece.length));
    for (const side of [client, app]) side.on('error', () => side.destroy());
    client.once('close', () => app.destroy());
    app.once('end', () => {
      if (!this.#isEnding) this.#leaveClient();
    });
    app.once('close', () => {
      if (!this.#isEnding && !app.readableEnded) client.destroy();
    });
    client.pipe(this.#toApp).pipe(app);
    app.pipe(this.#toClient, { end: false }).pipe(client);
    this.#toApp.write(sent.byClient);
    this.#toClient.write(sent.byApp);
  }

  async end(): Promise<void> {
    if (this.#isEnding || this.#app.destroyed) return;
    const [app, toApp, toClient] = [this.#app, this.#toApp, this.#toClient];
    const isClosing = toApp.hasClose || toClient.hasClose; // by one of them
    this.#isEnding = true;
    if (!isClosing) {
      toClient.stop(closeFrame({ isMasked: false }), 'close');
      toApp.stop(closeFrame({ isMasked: true }), 'message');
    }
    const hurry = setTimeout(() => toApp.hurry(), messagePatience);
    const closed: Event[] = isClosing ? [] : [[toClient, 'closing']];
    await firstOf(appPatience, [...closed, [app, 'end'], [app, 'close']]);
    clearTimeout(hurry);
    toClient.hurry();
    void this.#bidFarewell();
  }

  /** Waits for the client, with which the app has nothing more to do. */
  async #bidFarewell(): Promise<void> {
    const [client, toApp] = [this.#client, this.#toApp];
    this.#app.end();
    if (!toApp.hasClose) {
      await firstOf(clientPatience, [
        [toApp, 'closing'],
        [client, 'end'],
        [client, 'close'],
      ]);
    }
    this.#leaveClient();
  }

  /** The client gets what is on its way to it, and no more. */
  #leaveClient(): void {
    const [client, app] = [this.#client, this.#app];
    app.unpipe(this.#toClient).resume();
    this.#toClient.end();
    client.once('finish', () => {
      const timer = setTimeout(() => client.destroy(), clientPatience);
      client.once('close', () => clearTimeout(timer));
    });
  }
}

type Event = readonly [emitter: EventEmitter, name: string];

/** Waits for the first of these events, but no longer than `patience` ms. */
function firstOf(patience: number, events: readonly Event[]): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(timer);
      for (const [emitter, name] of events) emitter.off(name, settle);
      resolve();
    };
    const timer = setTimeout(settle, patience);
    for (const [emitter, name] of events) emitter.once(name, settle);
  });
}
