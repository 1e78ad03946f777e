import type { Duplex } from 'node:stream';

/** A connection of a client with the app that does not end by itself. */
export interface LongLived {
  /**
   * When it is ended for a hold: at once (`hold`), or after everything else has been answered
   * (`drain`), because there is no gentle way.
   */
  readonly endsAt: 'hold' | 'drain';
  /** Ends it. @returns when the app is rid of it; the client may take longer */
  end(): Promise<void>;
}

/** Between whom an upgraded connection is. */
export interface Sides {
  readonly client: Duplex;
  readonly app: Duplex;
  /** What each has sent beyond its head. */
  readonly sent: { readonly byClient: Buffer; readonly byApp: Buffer };
  /** Told of the bytes that the client is sent. */
  readonly count: (bytes: number) => void;
}
