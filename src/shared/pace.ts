import { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

/** How many bytes a second may pass; null for as many as can. Asked again and again, as it may change. */
export type Rate = () => number | null;

/** For how long what has not passed can be made up for, in seconds: timers are not exact. */
const credit = 0.1;

/** How long one waits before it is looked at what the rate is by then, in milliseconds. */
const patience = 250;

/**
 * Keeps what passes to a rate, however it is divided among those who pass it. In any time, no more passes than the
 * rate allows, what a tenth of a second allows, and the last piece.
 */
export class Pace {
  readonly #rate: Rate;
  readonly #now: () => number;
  /** Bytes that have passed before their time; less than nothing when there is something to make up for. */
  #ahead = 0;
  #at: number;

  /** @param now milliseconds of a clock that is never set back */
  constructor(rate: Rate = () => null, now: () => number = () => performance.now()) {
    this.#rate = rate;
    this.#now = now;
    this.#at = now();
  }

  /** Notes that bytes have passed. @returns for how many milliseconds none are to follow, as it is now */
  pass(bytes: number): number {
    const rate = this.#rate();
    const now = this.#now();
    const ahead = this.#ahead - ((now - this.#at) / 1000) * (rate ?? 0);
    this.#at = now;
    this.#ahead = rate === null ? 0 : Math.max(ahead, -rate * credit) + bytes;
    return rate === null ? 0 : Math.max(0, (this.#ahead / rate) * 1000);
  }

  /** Returns when more may pass. */
  async ready(): Promise<void> {
    for (let left = this.pass(0); left > 0; left = this.pass(0)) {
      await sleep(Math.min(Math.ceil(left), patience), undefined, { ref: false });
    }
  }
}

/**
 * What a stream is piped through to go at a pace.
 * @param counts asked of each piece in turn; if not given, all do
 */
export function atPace(pace: Pace, counts: (piece: Buffer) => boolean = () => true): Transform {
  return new Transform({
    transform(piece: Buffer, _, done) {
      if (!counts(piece) || pace.pass(piece.length) === 0) done(null, piece);
      else pace.ready().then(() => done(null, piece), done);
    },
  });
}
