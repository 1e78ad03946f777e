import type { Collaborator, User } from './model.js';

/**
 * What a user is on an app beside its owner; undefined when nothing, or only invited. Who has
 * accepted is known by their account, wherever it is noted: an email address may come to be another's.
 */
export function collaborationOf<C extends Collaborator>(
  user: Pick<User, 'id' | 'email'>,
  { collaborators }: { readonly collaborators: readonly C[] },
): C | undefined {
  return collaborators.find(
    ({ email, userId, status }) =>
      status === 'accepted' && (userId ? userId === user.id : email === user.email),
  );
}
