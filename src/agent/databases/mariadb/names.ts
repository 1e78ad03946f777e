/** The superuser of every server, who can log in over the socket in its data folder only. */
export const superuser = 'godwit';

/** Who reads the app's rows to compare them, over the same socket, and may do nothing else. */
export const reader = 'godwit_reader';

/** The schemas that every server has. */
export const system = ['mysql', 'sys', 'information_schema', 'performance_schema'];

/** What has rows of its own, by the words of `information_schema`. */
export const tableKinds = ['BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE'];

/** What a follower's user is called by, in its primary. */
export const followerPrefix = 'godwit_follow_';

export function followerName(follower: string): string {
  return followerPrefix + follower.replaceAll('-', '').slice(0, 12);
}
