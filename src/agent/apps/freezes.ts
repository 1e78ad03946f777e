import pRetry from 'p-retry';
import { Refusal } from '../../shared/errors.js';
import type { Performs } from '../verbs.js';
import type { Addons } from './addons.js';
import type { Deployments } from './deployments.js';
import type { Shelf } from './shelf.js';

type Verbs = Performs<'freeze' | 'thaw'>;

export interface FreezesParts {
  readonly shelf: Shelf;
  readonly addons: Addons;
  readonly deployments: Deployments;
  /** For how long what was begun before is waited for, in milliseconds. */
  readonly patience?: number | undefined;
}

interface Waiting {
  readonly app: string;
  readonly migration: string;
  readonly giveUp: AbortController;
  readonly ended: Promise<unknown>;
}

/** How often it is looked whether what was begun before has ended, in milliseconds. */
const rounds = 100;

/**
 * Keeps apps as they are for a migration. Nothing is frozen half-made: what was begun before is
 * over first, and whoever began it makes the last change of it as usual.
 */
export class Freezes implements Verbs {
  readonly #parts: FreezesParts;
  readonly #waiting = new Set<Waiting>();

  constructor(parts: FreezesParts) {
    this.#parts = parts;
  }

  async freeze({ app, migration }: { app: string; migration: string }) {
    const giveUp = new AbortController();
    const ended = this.#freeze(app, migration, giveUp.signal);
    const waiting = { app, migration, giveUp, ended };
    this.#waiting.add(waiting);
    try {
      await ended;
    } finally {
      this.#waiting.delete(waiting);
    }
    return null;
  }

  async thaw({ app, migration }: { app: string; migration: string }) {
    // One that comes to its turn later would freeze for nobody.
    await this.#giveUp((it) => it.app === app && it.migration === migration);
    const { frozenBy } = this.#parts.shelf.get(app);
    if (frozenBy !== migration) return null;
    await this.#parts.shelf.change(app, migration, (record) => ({
      ...record,
      frozenBy: null,
      buildGrants: [], // one that was not used is of no use any more
    }));
    return null;
  }

  /** Freezes nothing more: whoever still waits asks the next agent. */
  async leave(): Promise<void> {
    await this.#giveUp(() => true);
  }

  async #freeze(app: string, migration: string, signal: AbortSignal): Promise<void> {
    const freezeNow = () =>
      this.#parts.shelf.change(app, migration, (record) => {
        signal.throwIfAborted();
        if (record.frozenBy === migration) return record;
        // Looked for where nothing can be begun any more before it is frozen.
        const begun = this.#parts.addons.begun(record) ?? this.#parts.deployments.begun(app);
        if (begun !== null) throw busy(record.name, begun);
        return { ...record, frozenBy: migration };
      });
    await pRetry(freezeNow, {
      ...{ retries: Number.POSITIVE_INFINITY, factor: 1, minTimeout: rounds },
      maxRetryTime: this.#parts.patience ?? 60_000,
      shouldRetry: ({ error }) => error instanceof Refusal && error.details.code === 'busy',
      signal,
    });
  }

  async #giveUp(isMeant: (waiting: Waiting) => boolean): Promise<void> {
    const meant = [...this.#waiting].filter(isMeant);
    for (const { giveUp } of meant) {
      giveUp.abort(
        new Refusal('unavailable', 'The freeze was given up before the application was frozen.'),
      );
    }
    await Promise.allSettled(meant.map(({ ended }) => ended));
  }
}

function busy(name: string, begun: string): Refusal {
  return Refusal.conflict('busy', `${name} cannot be frozen yet: ${begun} Then try again.`);
}
