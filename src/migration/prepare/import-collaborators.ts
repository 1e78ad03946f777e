import { importAll } from './import-all.js';

/** Those who accepted; an invitation that is still pending is not carried over. */
export const importCollaborators = importAll({
  title: 'Import collaborators',
  of: ({ collaborators }) =>
    collaborators
      .filter(({ status }) => status === 'accepted')
      .map((item) => ({ kind: 'collaborator', item })),
  leftOut: ({ collaborators }) => {
    const pending = collaborators.filter(({ status }) => status === 'pending');
    if (pending.length === 0) return [];
    const emails = pending.map(({ email }) => email).join(', ');
    return [
      `Left out ${pending.length} who have not accepted their invitation: ${emails}. Invite them again afterwards.`,
    ];
  },
});
