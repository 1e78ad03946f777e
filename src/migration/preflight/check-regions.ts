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
      const { origins } = await from.describe({});
      const { failures } = await from.reach({ neighbour: await neighbour(to, origins) });
      const own = origins.length > 0 ? origins.join(', ') : 'anywhere';
      for (const failure of failures) {
        obstacle(
          `${from.name}, on its way to ${to.name}, ${failure}. Open the way, then try again. It says (--origins) that it comes from ${own}, and databases let it in from there only.`,
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

async function neighbour(region: Looks, from: string[]) {
  const [{ agent, edge }, data] = await Promise.all([
    region.describe({}),
    region.offerProbe({ from }),
  ]);
  return { agent, edge, data };
}
