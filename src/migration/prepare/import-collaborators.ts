import type { Step } from '../phase.js';

/** Those who accepted; an invitation that is still pending is not carried over. */
export const importCollaborators: Step = {
  title: 'Import collaborators',
  async run({ destination, newAppId, sourceApp, log }) {
    const { collaborators } = await sourceApp();
    const accepted = collaborators.filter(({ status }) => status === 'accepted');
    const pending = collaborators.length - accepted.length;
    for (const item of accepted) {
      await destination.attach({ app: newAppId, attachment: { kind: 'collaborator', item } });
    }
    log(`Copied ${accepted.length}.`);
    if (pending > 0) log(`${pending} left out: they have not accepted their invitation.`);
  },
};
