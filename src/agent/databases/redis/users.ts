import { createHash } from 'node:crypto';
import type { DatabaseRecord, Grant } from './record.js';

/** The agent's own user. */
export const admin = 'godwit';

/** Who clients are that give a password and no name, and by name too. */
export const appUser = 'default';

/** What a follower's user is called by, in its primary. */
const followerPrefix = 'godwit_follow_';

export function followerName(follower: string): string {
  return followerPrefix + follower.replaceAll('-', '').slice(0, 12);
}

/** A user and what it may do (Redis documentation, "ACL"). Whole: what it could before, it cannot any more. */
export type User = readonly [name: string, ...rules: string[]];

/** All users of a server; those of its followers last. */
export function usersOf(record: DatabaseRecord): User[] {
  const { state, adminPassword } = record;
  const grants = state.role === 'primary' ? state.grants : [];
  return [
    [admin, 'reset', 'on', hashed(adminPassword), '~*', '&*', '+@all'],
    appOf(record),
    ...grants.map(followerOf),
  ];
}

/**
 * The app may do all that concerns data, and nothing that makes the server another one: neither
 * replication, users, settings nor what others do. A fenced database has no user for it.
 */
export function appOf({ state, login }: DatabaseRecord): User {
  if (state.role === 'primary' && state.fenced) return [appUser, 'reset', 'off'];
  const looks = ['+client|list', '+slowlog', '+latency', '+lastsave'];
  return [appUser, 'reset', 'on', hashed(login.password), '~*', '&*', '+@all', '-@admin', ...looks];
}

/** A follower may replicate, and nothing else. */
function followerOf({ user, password }: Grant): User {
  return [user, 'reset', 'on', hashed(password), '+psync', '+replconf', '+ping'];
}

function hashed(password: string): string {
  return `#${createHash('sha256').update(password).digest('hex')}`;
}
