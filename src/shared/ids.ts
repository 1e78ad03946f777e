import { createHash, randomBytes } from 'node:crypto';

/** A new id of an app, build, addon or deployment: 24 hexadecimal digits. */
export function newId(): string {
  return randomBytes(12).toString('hex');
}

/**
 * The id of something that is made on behalf of something else. The same parts always give the
 * same id, so that a step repeated after a crash finds what it had made before.
 */
export function derivedId(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 24);
}

/** A new secret: 256 random bits, safe in URLs and file names. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}
