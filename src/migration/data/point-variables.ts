import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';
import { pointed } from './pointed.js';

/** The new app finds its databases where they are, also by variables that the owner wrote. */
export const pointVariables: Step = {
  title: 'Point variables at the new databases',
  async run(context) {
    const { destination, newAppId, sourceApp, log } = context;
    const { variables } = await sourceApp();
    const arrived = (await destination.findApp({ ref: newAppId }))?.variables ?? [];
    const replacements = (await databasePairs(context)).map(({ old, twin }) => ({
      old: variables.filter(({ from }) => from === old),
      new: arrived.filter(({ from }) => from === twin),
    }));
    const own = variables.filter(({ from }) => from === null);
    const set = pointed(own, replacements);
    const names = Object.keys(set);
    if (names.length === 0) return log('None names a database by its address or password.');
    await destination.changeVariables({ app: newAppId, set, unset: [] });
    log(`Changed ${names.join(', ')}.`);
  },
};
