import type { Attempted } from './entry.js';

/** How clients write: by `POST`, by `PUT`, by an upload in pieces, or by WebSocket. */
export const kinds = ['post', 'put', 'upload', 'socket'] as const;
export type Kind = (typeof kinds)[number];

/** What a client was not to see. */
export interface Failure {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly client: string;
  /**
   * `status`: it was answered with an error; `broken`: its connection broke while it waited; `away`:
   * there was nobody to connect to; `stale`: what was acknowledged was not there to be read.
   */
  readonly how: 'status' | 'broken' | 'away' | 'stale';
  readonly what: string;
}

/** What clients of one kind saw. */
export interface KindReport {
  readonly kind: Kind;
  readonly sent: number;
  readonly acknowledged: number;
  /** Nobody said what became of them. */
  readonly unknown: number;
  readonly failed: number;
  /** The longest that one waited for an answer, however often it had to ask; in milliseconds. */
  readonly longestWait: number;
}

/** What a client is about to write, and then what became of it. */
export interface Attempt extends Attempted {
  readonly kind: Kind;
  acknowledged: boolean;
  unanswered: number;
}

/** What all clients together know. */
export class Memory {
  readonly #attempts: Attempt[] = [];
  readonly #failures: Failure[] = [];
  readonly #waits = new Map<Kind, number>();
  readonly #failed = new Map<Kind, number>();

  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  get failures(): readonly Failure[] {
    return this.#failures;
  }

  begin(entry: Pick<Attempt, 'kind' | 'client' | 'number' | 'digest'>): Attempt {
    const attempt = { ...entry, acknowledged: false, unanswered: 0 };
    this.#attempts.push(attempt);
    return attempt;
  }

  waited(kind: Kind, milliseconds: number): void {
    this.#waits.set(kind, Math.max(this.#waits.get(kind) ?? 0, milliseconds));
  }

  failed(kind: Kind, failure: Failure): void {
    this.#failed.set(kind, (this.#failed.get(kind) ?? 0) + 1);
    this.#failures.push(failure);
  }

  report(): KindReport[] {
    return kinds.map((kind) => {
      const mine = this.#attempts.filter((one) => one.kind === kind);
      return {
        kind,
        sent: mine.length,
        acknowledged: mine.filter(({ acknowledged }) => acknowledged).length,
        unknown: mine.filter(({ unanswered }) => unanswered > 0).length,
        failed: this.#failed.get(kind) ?? 0,
        longestWait: Math.round(this.#waits.get(kind) ?? 0),
      };
    });
  }
}
