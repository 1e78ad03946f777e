import { Transform } from 'node:stream';
import { beginsClose, WebSocketFrames } from './websocket-frames.js';

type Done = (error?: Error | null) => void;

/** One direction of a WebSocket. Can be ended between two frames, with a Close frame of the edge's own. */
export class WebSocketPassage extends Transform {
  readonly #frames = new WebSocketFrames();
  /** What is to come in place of whatever else would. */
  #closing: { readonly frame: Buffer; readonly at: 'close' | 'message' | 'frame' } | null = null;
  #isStopped = false;

  /** Whether a Close frame has come, passed on or not. */
  get hasClose(): boolean {
    return this.#frames.hasClose;
  }

  /**
   * Ends it with this frame, as soon as there is a place for it: in place of a Close frame, or
   * before the next message too. What comes then is dropped.
   */
  stop(frame: Buffer, at: 'close' | 'message'): void {
    this.#closing = { frame, at };
    if (this.#mayStop(undefined)) this.#stop();
  }

  /** If it is to end, it does before the next frame. */
  hurry(): void {
    if (this.#closing) this.#closing = { ...this.#closing, at: 'frame' };
    if (this.#mayStop(undefined)) this.#stop();
  }

  override _transform(piece: Buffer, _: BufferEncoding, done: Done): void {
    const hadClose = this.hasClose;
    for (let at = 0; at < piece.length; at = this.#frames.follow(piece, at)) {
      if (!this.#mayStop(piece[at])) continue;
      this.push(piece.subarray(0, at));
      this.#stop();
    }
    if (!this.#isStopped) this.push(piece);
    if (this.#mayStop(undefined)) this.#stop(); // the place is where it ends, for now
    if (!hadClose && this.hasClose) this.emit('closing');
    done();
  }

  /** @param next the byte that comes next, if it has */
  #mayStop(next: number | undefined): boolean {
    if (this.#isStopped || !this.#closing || !this.#frames.isBetweenFrames) return false;
    const { at } = this.#closing;
    if (at === 'frame' || (next !== undefined && beginsClose(next))) return true;
    return at === 'message' && this.#frames.isBetweenMessages;
  }

  #stop(): void {
    this.#isStopped = true;
    if (this.#closing) this.push(this.#closing.frame);
  }
}
