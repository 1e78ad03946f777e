import { createHash } from 'node:crypto';

/** Of what was read: how much it was, and what it hashes to, a number of 64 bits. */
export interface Hashed {
  readonly bytes: number;
  readonly hash: bigint;
}

/** Of words, so that no others come to the same, however they are divided. */
export function hashOf(words: readonly (string | Buffer)[]): bigint {
  const hash = createHash('sha1');
  for (const word of words) hash.update(`${Buffer.byteLength(word)}:`).update(word);
  return hash.digest().readBigUInt64BE();
}

/** Does not depend on the order of what is added. */
export function sumOf(one: bigint, other: bigint): bigint {
  return BigInt.asUintN(64, one + other);
}
