import type { Step } from '../phase.js';

/** Copies the environment. Addon variables are left out: the new addons bring their own. */
export const importVariables: Step = {
  title: 'Import environment variables',
  async run({ destination, newAppId, sourceApp, log }) {
    const own = (await sourceApp()).variables.filter(({ from }) => from === null);
    const set = Object.fromEntries(own.map(({ name, value }) => [name, value]));
    await destination.changeVariables({ app: newAppId, set, unset: [] });
    log(`Copied ${own.length}.`);
  },
};
