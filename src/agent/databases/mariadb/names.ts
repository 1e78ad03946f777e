/** The superuser of every server, who can log in over the socket in its data folder only. */
export const superuser = 'godwit';

/** What a follower's user is called by, in its primary. */
export const followerPrefix = 'godwit_follow_';

export function followerName(follower: string): string {
  return followerPrefix + follower.replaceAll('-', '').slice(0, 12);
}
