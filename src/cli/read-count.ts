import { InvalidArgumentError } from 'commander';

/** Makes a reader of whole numbers from `least` to `most`. */
export function countUpTo(most: number, least = 1): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (/^\d+$/.test(text) && count >= least && count <= most) return count;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  };
}
