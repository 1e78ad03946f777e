import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { messageOf, Refusal } from '../shared/errors.js';

/** Networks that somebody may come from, such as `10.0.0.0/8` or `10.1.2.3/32`; any, if there are none. */
export type Networks = readonly string[];

const network = z.union([z.cidrv4(), z.cidrv6()]);

/**
 * The networks of what somebody says to come from: networks, addresses, or names, which are looked up here.
 * @throws Refusal when one of them is none of these
 */
export async function networksOf(origins: readonly string[]): Promise<Networks> {
  const all = await Promise.all(origins.map(networksOfOne));
  return [...new Set(all.flat())].sort();
}

async function networksOfOne(origin: string): Promise<string[]> {
  if (network.safeParse(origin).success) return [origin];
  // Who listens on any of its addresses comes from any.
  if (['0.0.0.0', '::'].includes(origin)) return ['0.0.0.0/0', '::/0'];
  if (isIP(origin)) return [alone(origin)];
  const found = await lookup(origin, { all: true }).catch((error) => {
    throw Refusal.invalid(
      'from',
      `The follower is said to come from ${origin}, which is neither an address nor a name that is known here: ${messageOf(error)}. Change --origins, or --host, of its region.`,
    );
  });
  return found.map(({ address }) => alone(address));
}

const alone = (address: string) => `${address}/${isIP(address) === 6 ? 128 : 32}`;

/** What somebody hears who comes from elsewhere. */
export function notFromThere(address: string | undefined): string {
  return `The primary does not let this follower in from ${address}: its region says that it comes from elsewhere. Set --origins of that region.`;
}

/** Whether somebody at this address, as a socket names it, comes from one of the networks. */
export function comesFrom(address: string | undefined, networks: Networks): boolean {
  if (networks.length === 0) return true;
  const list = new BlockList();
  for (const one of networks) {
    const [base = '', length = ''] = one.split('/');
    list.addSubnet(base, Number(length), isIP(base) === 6 ? 'ipv6' : 'ipv4');
  }
  return address !== undefined && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}
