import type { Inbound } from './inbound.js';

/** Names the process, such as `web-1`, that a client's requests go to as long as it is there. */
const name = 'godwit-process';

function isOurs(pair: string): boolean {
  return pair.slice(0, pair.indexOf('=')).trim() === name;
}

/** The process that the client was given before; null for a new client. */
export function stickyProcess({ headers }: Pick<Inbound, 'headers'>): string | null {
  const ours = headers['cookie']?.flatMap((field) => field.split(';')).find(isOurs);
  return ours?.slice(ours.indexOf('=') + 1).trim() ?? null;
}

/** A Cookie header without what is the edge's own; null when nothing is left. */
export function withoutStickyCookie(cookie: string | readonly string[]): string | null {
  const whole = typeof cookie === 'string' ? cookie : cookie.join('; ');
  if (!whole.includes(`${name}=`)) return whole;
  const pairs = whole.split(';').filter((pair) => !isOurs(pair));
  return pairs.join(';').trim() || null;
}

/** A Set-Cookie header that has the client come to a process again. */
export function stickyCookie(process: string, { isSecure }: { isSecure: boolean }): string {
  return `${name}=${process}; Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}
