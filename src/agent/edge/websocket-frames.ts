import { randomBytes } from 'node:crypto';

const close = 8;

/** Follows the frames of one direction of a WebSocket (RFC 6455, section 5.2) as their bytes come. */
export class WebSocketFrames {
  /** Of the frame's head, as far as it has come. */
  #head: number[] = [];
  /** Bytes of the frame after its head that have yet to come. */
  #left = 0;
  #isWithinMessage = false;
  #hasClose = false;

  get isBetweenFrames(): boolean {
    return this.#head.length === 0 && this.#left === 0;
  }

  /** A message may come in several frames. */
  get isBetweenMessages(): boolean {
    return this.isBetweenFrames && !this.#isWithinMessage;
  }

  /** Whether a Close frame has begun. */
  get hasClose(): boolean {
    return this.#hasClose;
  }

  /** Follows the bytes from `at` on, to the end of a frame or of all. @returns where that is */
  follow(piece: Buffer, at: number): number {
    let next = at;
    while (this.#left === 0 && next < piece.length) {
      this.#head.push(piece[next++] ?? 0);
      if (this.#begin()) return next;
    }
    const taken = Math.min(this.#left, piece.length - next);
    this.#left -= taken;
    return next + taken;
  }

  /** Reads the head once it is there. @returns whether the frame has ended with it */
  #begin(): boolean {
    const [first = 0, second = 0, ...rest] = this.#head;
    const opcode = first & 0x0f;
    if (opcode === close) this.#hasClose = true;
    if (this.#head.length < 2) return false;
    const short = second & 0x7f;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    const mask = second & 0x80 ? 4 : 0;
    if (rest.length < extra + mask) return false;
    this.#left = extra === 0 ? short : rest.slice(0, extra).reduce((sum, byte) => sum * 256 + byte);
    this.#head = [];
    if (opcode < close) this.#isWithinMessage = (first & 0x80) === 0;
    return this.#left === 0;
  }
}

/** Whether a frame that begins with this byte is a Close frame. */
export function beginsClose(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0x0f) === close;
}

/** Sent when the service begins anew: clients are to connect again (IANA's registry of close codes). */
const serviceRestart = 1012;

/** A Close frame that has its receiver come again. What a client sends is masked. */
export function closeFrame({ isMasked }: { isMasked: boolean }): Buffer {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from('moving')]);
  payload.writeUInt16BE(serviceRestart);
  const first = 0x80 | close;
  if (!isMasked) return Buffer.concat([Buffer.from([first, payload.length]), payload]);
  const mask = randomBytes(4);
  const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
  return Buffer.concat([Buffer.from([first, 0x80 | payload.length]), mask, masked]);
}
