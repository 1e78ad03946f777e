/** Type of the messages that carry what is copied (PostgreSQL documentation, "Message Formats"). */
const copyData = 0x64; // d
/** A message's type, and its length without that. */
const head = 5;

/** Who takes the two parts of what a server sends. */
export interface CopyDataTakers {
  /** A piece of the content of a CopyData message. Its memory is the sender's again on return. */
  content(piece: Buffer, isFirst: boolean): void;
  /** Whole or parts of messages of any other type, in order. */
  others(bytes: Buffer): void;
}

/**
 * Takes the content of CopyData messages out of what a server sends, where it lies. A parser that
 * puts each message together first, as that of `pg` does, copies every byte once more.
 */
export class CopyDataTap {
  readonly #takers: CopyDataTakers;
  /** The beginning of a message, not enough of it to tell what it is. */
  #begun: Buffer = Buffer.alloc(0);
  /** Bytes of the message under way that have yet to come. */
  #left = 0;
  #isContent = false;
  #isFirst = false;

  constructor(takers: CopyDataTakers) {
    this.#takers = takers;
  }

  take(bytes: Buffer): void {
    const all = this.#begun.length === 0 ? bytes : Buffer.concat([this.#begun, bytes]);
    let at = 0;
    while (at < all.length) {
      if (this.#left === 0) {
        if (all.length - at < head) break;
        at += this.#begin(all, at);
      }
      const piece = all.subarray(at, at + this.#left);
      this.#pass(piece);
      at += piece.length;
    }
    this.#begun = Buffer.from(all.subarray(at));
  }

  /** @returns how much of the message is not for whoever takes it */
  #begin(bytes: Buffer, at: number): number {
    this.#isContent = bytes[at] === copyData;
    this.#isFirst = true;
    this.#left = bytes.readUInt32BE(at + 1) + 1 - (this.#isContent ? head : 0);
    return this.#isContent ? head : 0;
  }

  #pass(piece: Buffer): void {
    this.#left -= piece.length;
    if (!this.#isContent) this.#takers.others(piece);
    else if (piece.length > 0) {
      this.#takers.content(piece, this.#isFirst);
      this.#isFirst = false;
    }
  }
}
