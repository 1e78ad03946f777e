import type { Looks } from '../../region/region.js';
import { check } from './check.js';

/** A real connection each way, for builds, requests and databases. */
export const checkRegions = check({
  title: 'Check that the regions reach each other',
  async look({ source, destination, log, obstacle }) {
    const ways = [
      [destination, source],
      [source, destination],
    ] as const;
    for (const [from, to] of ways) {
      const { failures } = await from.reach({ neighbour: await neighbour(to) });
      for (const failure of failures) {
        obstacle(
          `${from.name}, on its way to ${to.name}, ${failure}. Open the way, then try again.`,
        );
      }
      if (failures.length === 0) {
        log(
          `${from.name} reaches ${to.name}: its agent, its edge, and the ports of its databases.`,
        );
      }
    }
  },
});

async function neighbour(region: Looks) {
  const [{ agent, edge }, data] = await Promise.all([region.describe({}), region.offerProbe({})]);
  return { agent, edge, data };
}
