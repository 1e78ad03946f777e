import type { Step } from '../phase.js';
import type { Way } from './way.js';

/** The point of no return: requests, the waiting ones first, go to whoever serves from now on. */
export const redirectRequests = (title: Step['title'], way: Way): Step => ({
  title,
  whileHolding: true,
  async foresee({ source, destination }) {
    return [`The edge of ${source.name} forwards to that of ${destination.name} from then on.`];
  },
  async run(context) {
    const { commitSwitch, remember, log } = context;
    const [from, to] = [way.from(context), way.to(context)];
    const grant = await to.region.grantForward({ app: to.app });
    // Where it does not reach the other edge, it had better go on serving by itself.
    const { failures } = await from.region.reach({ neighbour: { edge: grant.address } });
    if (failures.length > 0) {
      const where = `${from.region.name}, on its way to ${to.region.name},`;
      throw new Error(`${where} ${failures.join('; ')}. Open the way, then try again.`);
    }
    await commitSwitch();
    await to.region.serve({ app: to.app });
    await from.region.forward({ app: from.app, ...grant });
    const { held, longestWait } = await from.region.holdReport({ app: from.app });
    await remember({ switch: { held, longestWait }, holdUntil: null });
    log(`${held} requests had waited, the longest for ${Math.round(longestWait)} ms.`);
  },
});
