import { Refusal } from '../../shared/errors.js';

/** What may wait at once. */
export interface RoomLimits {
  /** Requests. */
  readonly waiting: number;
  /** Bytes that they take, as their visitors say. */
  readonly waitingBytes: number;
}

/** Where the requests for one app wait. */
export class WaitingRoom {
  readonly #limits: RoomLimits;
  #requests = 0;
  #bytes = 0;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /**
   * @param size bytes that the request takes
   * @returns to be called when it leaves
   * @throws Refusal `unavailable` when there is no room
   */
  enter(size: number): () => void {
    const { waiting, waitingBytes } = this.#limits;
    if (this.#requests >= waiting || this.#bytes + size > waitingBytes) {
      throw new Refusal('unavailable', 'Too many requests are waiting. Try again in a moment.');
    }
    this.#requests += 1;
    this.#bytes += size;
    return () => {
      this.#requests -= 1;
      this.#bytes -= size;
    };
  }
}
