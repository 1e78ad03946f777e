import { InvalidArgumentError } from 'commander';
import { z } from 'zod';

const origin = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6(), z.hostname()]);

/** Reads addresses, networks and names with commas between. */
export function readOrigins(text: string): readonly string[] {
  const all = text.split(',');
  if (all.every((one) => origin.safeParse(one).success)) return all;
  throw new InvalidArgumentError('They must be like 203.0.113.7,10.0.0.0/8.');
}
