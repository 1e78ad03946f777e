import type { Looks } from '../region/region.js';
import { messageOf } from '../shared/errors.js';

/** What was copied to try, and how fast that went. */
export interface Speed {
  readonly bytes: number;
  /** In bytes a second. */
  readonly rate: number;
}

/**
 * Copies a little from one region to another, to see how fast that goes.
 * @returns why it could not be tried, when it could not
 */
export async function trySpeed(from: Looks, to: Looks): Promise<Speed | string> {
  try {
    const { bytes, milliseconds } = await to.takeSample({ offer: await from.offerProbe({}) });
    return { bytes, rate: (bytes * 1_000) / milliseconds };
  } catch (error) {
    return messageOf(error);
  }
}

/** A time for people. */
export function inWords(milliseconds: number): string {
  const seconds = milliseconds / 1_000;
  if (seconds < 1) return 'a second';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5_400) return `${Math.ceil(seconds / 60)} minutes`;
  return `${(seconds / 3_600).toFixed(1)} hours`;
}
