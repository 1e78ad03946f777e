import { Refusal } from '../shared/errors.js';

/** What comes of an action; null when what it is for is not there (any more). */
export async function orGone<T>(action: Promise<T>): Promise<T | null> {
  return action.catch((error) => {
    if (error instanceof Refusal && error.kind === 'not-found') return null;
    throw error;
  });
}
