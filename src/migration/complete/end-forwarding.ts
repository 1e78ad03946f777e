import { orGone } from '../or-gone.js';
import type { Step } from '../phase.js';

/** The source's edge no longer knows the app, nor the destination's edge the source's. */
export const endForwarding: Step = {
  title: 'End forwarding',
  async run({ migration, source, destination, newAppId, log }) {
    await orGone(source.hide({ app: migration.appId }));
    await orGone(destination.revokeForward({ app: newAppId }));
    // Granted when it was to come back, or did before this migration.
    await orGone(source.revokeForward({ app: migration.appId }));
    log(`${source.name} forwards nothing to ${destination.name} any more.`);
  },
};
