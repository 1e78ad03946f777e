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
    const { migration, commitSwitch, remember, record, log } = context;
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
    record.mark('released');
    // Its workers: from now on nothing that they write is taken back.
    if (migration.wasStarted) await to.region.start({ app: to.app });
    await remember({ holdUntil: null });
    const { held, waits, longestWait, refused, closed } = await from.region.holdReport({
      app: from.app,
    });
    await record.clients({ held, ...waits, longestWait, refused, closed });
    const [half, most, longest] = [waits.p50, waits.p99, longestWait].map(Math.round);
    log(
      `${held} requests had waited, half of them for at most ${half} ms, 99 % for at most ${most} ms, the longest for ${longest} ms.`,
    );
    if (closed > 0) log(`${closed} WebSockets and event streams were closed, to be opened again.`);
    if (refused > 0) log(`${refused} requests found no room to wait, and were told to come again.`);
  },
});
