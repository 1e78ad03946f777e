import type { Looks } from '../../region/region.js';
import { databasePairs } from '../databases.js';
import type { Step } from '../phase.js';
import { pointed, type Replacement } from './pointed.js';

/** The new app finds its databases where they are, also by variables that the owner wrote. */
export const pointVariables: Step = {
  title: 'Point variables at the new databases',
  async run(context) {
    const { source, destination, newAppId, sourceApp, log } = context;
    const { variables } = await sourceApp();
    const pairs = await databasePairs(context);
    const provided = await Promise.all(pairs.map(({ old }) => source.provides({ database: old })));
    const names = new Set(variables.flatMap(({ name, from }) => (from === null ? [] : name)));
    for (const name of provided.flatMap(Object.keys)) names.add(name);
    const replacements = (
      await Promise.all(pairs.map(({ old, twin }) => between(source, old, destination, twin)))
    ).flat();
    const own = variables.filter(({ from }) => from === null);
    const { set, named } = pointed(own, replacements, names);
    if (named.length === 0) return log('None names a database.');
    const changed = Object.keys(set);
    if (changed.length > 0) {
      await destination.changeVariables({ app: newAppId, set, unset: [] });
      log(`Changed ${changed.join(', ')}.`);
    }
    const others = named.filter((name) => !Object.hasOwn(set, name));
    if (others.length > 0) log(`Right as they are: ${others.join(', ')}.`);
  },
};

/** What a database provides there and here, variable by variable. */
async function between(
  source: Looks,
  old: string,
  destination: Looks,
  twin: string,
): Promise<Replacement[]> {
  const [there, here] = await Promise.all([
    source.provides({ database: old }),
    destination.provides({ database: twin }),
  ]);
  return Object.entries(there).flatMap(([name, value]) => {
    const now = here[name];
    return now === undefined ? [] : [{ old: value, new: now }];
  });
}
