import { Refusal } from '../shared/errors.js';

/**
 * What a migration asked for and then took back may still be on its way, over a slow network. Its
 * calls carry the number of the turn that they belong to, and what is heard after something of a
 * later turn is not done any more. Nothing of it is kept: calls do not outlive the agent.
 */
export class Turns {
  /** By migration. */
  readonly #latest = new Map<string, number>();

  /** @throws Refusal `conflict` when a later turn has begun */
  take(migration: string, turn: number): void {
    const latest = this.#latest.get(migration) ?? turn;
    if (turn < latest) {
      throw Refusal.conflict('late', 'This came too late: the migration has gone on since.');
    }
    this.#latest.set(migration, turn);
  }
}
