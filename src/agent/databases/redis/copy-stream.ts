/**
 * What a primary says to a follower before its history: that it needs no copy, or the mark that ends one
 * which is as long as it takes (Redis documentation, "Replication"; `repl-diskless-sync`).
 */
const answer = /^\+CONTINUE|^\$EOF:([0-9a-f]{40})\r\n/m;
const longestAnswer = 64;

/** Tells the copy from the history after it, in what a primary sends to a follower. */
export class CopyStream {
  #mark: string | null = null;
  #isOver = false;
  /** The end of what has passed, in which something may have begun. */
  #end = Buffer.alloc(0);

  /** @returns whether there is something of a copy in the next piece */
  isCopy(piece: Buffer): boolean {
    if (this.#isOver) return false;
    let sight = Buffer.concat([this.#end, piece]);
    if (this.#mark === null) {
      const found = answer.exec(sight.toString('latin1'));
      if (found) sight = sight.subarray(found.index + found[0].length);
      this.#mark = found?.[1] ?? null;
      this.#isOver = found !== null && this.#mark === null;
    }
    const isCopy = this.#mark !== null;
    if (this.#mark !== null && sight.includes(this.#mark)) this.#isOver = true;
    this.#end = this.#isOver ? Buffer.alloc(0) : Buffer.from(sight.subarray(-longestAnswer));
    return isCopy;
  }
}
