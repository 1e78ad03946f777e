import { bytes } from '../../shared/bytes.js';
import type { Step } from '../phase.js';

/** Every addon's plan is offered by the destination, and its database can move live. */
export const checkAddonsCompatibility: Step = {
  title: 'Check addons compatibility',
  async run({ sourceApp, source, destination, log }) {
    const { addons } = await sourceApp();
    const { offers } = await destination.describe({});
    const obstacles: string[] = [];
    for (const addon of addons) {
      const offer = offers.find(({ product }) => product === addon.product);
      if (!offer) {
        obstacles.push(`${destination.name} does not offer ${addon.product}.`);
      } else if (!offer.plans.includes(addon.plan)) {
        obstacles.push(
          `${destination.name} has no plan "${addon.plan}" for ${addon.product}; it has ${offer.plans.join(', ')}.`,
        );
      }
      const database = await source.inspect({ database: addon.id });
      obstacles.push(...database.obstacles);
      log(
        `${database.product} ${database.version}, ${bytes(database.size)}: moves live; the app stays up while it is copied.`,
      );
      for (const remark of database.remarks) log(remark);
    }
    if (obstacles.length > 0) throw new Error(obstacles.join('\n'));
    log('Expected downtime: none. Requests wait about a second during finalize.');
  },
};
