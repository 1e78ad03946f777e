import { check } from './check.js';

/** Whoever has accepted still has an account; who has not is left out. */
export const checkCollaborators = check({
  title: 'Check the collaborators',
  async look({ sourceApp, isKnown, log, obstacle }) {
    const { owner, collaborators } = await sourceApp();
    const accepted = collaborators.filter(({ status }) => status === 'accepted');
    const people = [
      { id: owner.id, email: owner.email, what: 'The owner' },
      ...accepted.map(({ id, userId, email }) => ({
        id: userId ?? id,
        email,
        what: 'The collaborator',
      })),
    ];
    for (const { id, email, what } of people) {
      if (await isKnown(id)) continue;
      obstacle(`${what} ${email} has no account any more. Remove or replace them first.`);
    }
    const pending = collaborators.filter(({ status }) => status === 'pending');
    log(`${accepted.length} have accepted and come along.`);
    if (pending.length > 0) {
      const emails = pending.map(({ email }) => email).join(', ');
      log(`${pending.length} have not accepted and will be left out: ${emails}.`);
    }
  },
});
