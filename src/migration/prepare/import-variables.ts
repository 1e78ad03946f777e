import type { Step } from '../phase.js';

/**
 * Copies the environment. Addon variables are left out: the new addons bring their own. Those that
 * name the source's databases are pointed at the new ones once there are such.
 */
export const importVariables: Step = {
  title: 'Import environment variables',
  async foresee({ sourceApp }) {
    const { variables } = await sourceApp();
    return [`${variables.filter(({ from }) => from === null).length} to copy.`];
  },
  async run({ destination, newAppId, sourceApp, log }) {
    const { variables } = await sourceApp();
    const own = variables.filter(({ from }) => from === null);
    const set = Object.fromEntries(own.map(({ name, value }) => [name, value]));
    await destination.changeVariables({ app: newAppId, set, unset: [] });
    log(`Copied ${own.length}.`);
    const others = variables.length - own.length;
    if (others > 0) log(`Left out ${others}, which addons provide: the new addons bring theirs.`);
  },
};
