import { z } from 'zod';

/** Bytes as people are told of them: those of a text in UTF-8 as that, others in hexadecimal digits. */
export const legible = z.union([z.string(), z.object({ hex: z.string() })]);
export type Legible = z.infer<typeof legible>;

export function legibly(bytes: Buffer): Legible {
  const text = bytes.toString();
  return Buffer.from(text).equals(bytes) ? text : { hex: bytes.toString('hex') };
}

/** The bytes that {@link legibly} was given. */
export function bytesOf(told: Legible): Buffer {
  return typeof told === 'string' ? Buffer.from(told) : Buffer.from(told.hex, 'hex');
}
