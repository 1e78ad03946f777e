import { messageOf, Refusal } from '../../shared/errors.js';
import { until } from '../../shared/until.js';

/** For how long a follower must have lost its primary before that is believed, in milliseconds. */
const patience = 2_000;

/**
 * Waits until a follower has come to a position. One that crashes meanwhile comes back, and is asked again.
 * @param reached returns when it is there, within so many milliseconds; a Refusal of it is the last word
 * @throws Refusal `unavailable` when it is not there after `timeout` ms
 */
export async function comeTo(
  position: string,
  timeout: number,
  reached: (left: number) => Promise<unknown>,
): Promise<void> {
  const deadline = Date.now() + timeout;
  let trouble = 'it is not there yet';
  const isThere = async () => {
    try {
      await reached(Math.max(1, deadline - Date.now()));
      return true;
    } catch (error) {
      if (error instanceof Refusal) throw error;
      trouble = messageOf(error);
      return false;
    }
  };
  await until(isThere, { timeout, what: 'the follower' }).catch((error) => {
    if (error instanceof Refusal) throw error;
    throw new Refusal('unavailable', `The follower did not come to ${position}: ${trouble}.`);
  });
}

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
