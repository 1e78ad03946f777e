import { Refusal } from '../../shared/errors.js';

/** For how long a follower must have lost its primary before that is believed, in milliseconds. */
const patience = 2_000;

/**
 * Watches over a follower that is to come to a position.
 * @returns what is told at each look whether it has lost its primary; it throws when that lasts
 */
export function watchForCutOff(position: string): (isLost: boolean) => void {
  let since: number | null = null;
  return (isLost) => {
    since = isLost ? (since ?? Date.now()) : null;
    if (since === null || Date.now() < since + patience) return;
    throw Refusal.conflict(
      'cut_off',
      `The follower lost its primary before it came to ${position}. Fence that once more: it then lets followers in again.`,
    );
  };
}
